"""`cspanalyze gradients`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cspanalyze.cli.help import Purpose
from cspanalyze.cli.options import OUTPUT, ROWS, NetworkOptions, option
from cspanalyze.errors import RangeError, UsageError

PURPOSE = Purpose.CSP
EXAMPLES = (
    (
        "how often the same gradients enter weight updates, base and twin",
        "cspanalyze gradients densenet121 --csp --gamma 0.5",
    ),
    ("the weight-update equations of a stage", "cspanalyze gradients densenet121 --csp --equations --stage 1"),
    ("who sends gradient to each layer, and when", "cspanalyze gradients resnet18 --by layer --top 20"),
    (
        "measured on real data, beside a control without a split",
        "cspanalyze gradients resnet18 --csp --control --measured --data digits",
    ),
)
EQUATIONS, MEASURED = "Equations", "Measured gradients"
Mode = Literal["train", "eval"]
_UNIT_HELP = (
    "Regular expression: layers whose module paths agree up to the end of its match are one, like 'denselayer\\d+'."
)
_EQUATIONS_HELP = "Show the weight-update equations of one stage instead (with --stage)."
_STAGE_HELP = "The stage: its name, or N for stageN."
_MEASURED_HELP = "Measure instead: run forward and backward, and compare what every layer contributes."
_DRAWS_HELP = "Draws of weights and batches. Default 5."
_DATA_HELP = (
    "synthetic (default), digits (scikit-learn), or your own path/file.py:LOADER, which gives batches: inputs, or "
    "pairs (input, classes). The file is EXECUTED."
)
_MODE_HELP = "Whether norms take the batch's statistics or their running ones. Default train."
_AFTER_HELP = "Train every network first, for --steps; needs data with classes."
_STEPS_HELP = "Steps of that training. Default 100."
_WAKE_HELP = "Set norms whose scale is 0 (last ones of residual branches) to 1 first."
_RECORD_HELP = "Also write every layer, edge, path length and source to FILE.json, for pictures."


@dataclass(frozen=True)
class GradientsOptions(NetworkOptions):
    """Options of `gradients`."""

    unit: Annotated[str, option(ROWS, _UNIT_HELP, "--unit", metavar="REGEX")] = ""
    equations: Annotated[bool, option(EQUATIONS, _EQUATIONS_HELP, "--equations")] = False
    stage: Annotated[str, option(EQUATIONS, _STAGE_HELP, "--stage", metavar="N")] = ""
    measured: Annotated[bool, option(MEASURED, _MEASURED_HELP, "--measured")] = False
    draws: Annotated[int | None, option(MEASURED, _DRAWS_HELP, "--draws", metavar="N")] = None
    data: Annotated[str, option(MEASURED, _DATA_HELP, "--data", metavar="DATA")] = ""
    mode: Annotated[Mode | None, option(MEASURED, _MODE_HELP, "--mode")] = None
    after_training: Annotated[bool, option(MEASURED, _AFTER_HELP, "--after-training")] = False
    steps: Annotated[int | None, option(MEASURED, _STEPS_HELP, "--steps", metavar="N")] = None
    wake: Annotated[bool, option(MEASURED, _WAKE_HELP, "--wake")] = False
    record: Annotated[str, option(OUTPUT, _RECORD_HELP, "--record", metavar="FILE.json")] = ""

    def check(self) -> None:
        """Refuse what can be refused before torch is imported.

        Raises:
            UsageError: options contradict each other, or a number is out of range.
        """
        super().check()
        if self.equations and not self.stage:
            raise UsageError("--equations needs the stage: add --stage N")
        if self.stage and not self.equations:
            raise UsageError("--stage says of which stage the equations are: add --equations")
        if self.equations and self.by != "stage":
            raise UsageError(f"--equations are of a stage, and rows are by {self.by}: leave out --by")
        if self.unit and self.by in ("layer", "op"):
            raise UsageError(f"--unit makes layers one, and --by {self.by} takes them apart: leave out one of them")
        if self.measured:
            self._check_measured()
        else:
            names = ("draws", "data", "mode", "after_training", "steps", "wake")
            given = [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) not in (None, "", False)]
            if given:
                raise UsageError(f"{' and '.join(given)} say how to measure: add --measured")

    def _check_measured(self) -> None:
        for name in ("equations", "unit", "record", "depth", "top"):
            if getattr(self, name):
                raise UsageError(f"--{name} is of the structure: leave out --measured")
        if self.by not in ("stage", "layer"):
            raise UsageError(f"--measured gives figures of networks, and of layers with --by layer; not --by {self.by}")
        if self.draws is not None and self.draws < 1:
            raise RangeError(f"--draws {self.draws} is not possible: expected at least 1")
        if self.steps is not None and not self.after_training:
            raise UsageError("--steps are those of a training: add --after-training")
        if self.steps is not None and self.steps < 1:
            raise RangeError(f"--steps {self.steps} is not possible: expected at least 1")
        if self.after_training and self.data in ("", "synthetic"):
            raise UsageError("--after-training needs data with classes: add --data digits or --data file.py:LOADER")


def run(options: GradientsOptions) -> None:
    """How often the same gradients enter weight updates.

    Read off the structure, for every stage and the whole network: the gradient duplication ratio D_c, the terms that it
    counts, gradient paths and their lengths; with --by layer who sends gradient to each layer, and when. With --csp
    beside the Cross Stage Partial twin, for which gamma is the share of channels that BYPASS the blocks. MODEL may name
    a function or class in your own .py file; that file is then executed.

    These figures are the opportunity for duplicate gradient. --measured tells how much of it is realised, at some cost:
    it really runs the network, on batches of 32 unless told otherwise. Neither says anything of accuracy.
    """
    from cspanalyze.cli.gradients_run import run_gradients

    run_gradients(options)
