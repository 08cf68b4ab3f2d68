"""The module that a stage becomes."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from cspanalyze.csp.split import Split


class CSPStage(nn.Module):
    """A cross stage partial stage: (N, C_in, H, W) -> (N, C_out, H/stride, W/stride).

    With x' and x'' the two parts of what `down` makes, y = T2([x', T1(blocks(x''))]) (arXiv 1911.11929, section 3,
    the equations of the "partial transition layer"). `part1` makes x' and `part2_in` makes x''; where `sliced`, they
    get the first `c1` and the last `c2` channels, otherwise both read all channels, as in the authors' published
    networks. `part2` are the blocks, `transition1` is T1, `transition2` is T2. The fusion is in what is absent: an
    Identity stands for T1 in "first" (concatenate, then one transition) and for T2 in "last" (transition of part 2,
    then concatenate). As in timm part 1 comes first in the concatenation; the authors' configurations put it second.

    `gamma` is the requested share of part 1 and `gamma_effective` the share after rounding; `preset` names the rule the
    stage was built by, and `source_names` are the paths of the modules of the original network that it stands for.

    With `c1` = 0 the stage is a control: nothing bypasses the blocks and nothing is joined, y = T2(T1(blocks(x))).
    """

    def __init__(
        self,
        parts: dict[str, nn.Module],
        *,
        sliced: bool,
        split: Split,
        gamma: float,
        fusion: str,
        preset: str,
        source_names: tuple[str, ...],
    ) -> None:
        """`parts` holds the children by name; those left out, of which `part2` is none, are Identity."""
        super().__init__()
        self.down = parts.get("down", nn.Identity())
        self.part1 = parts.get("part1", nn.Identity())
        self.part2_in = parts.get("part2_in", nn.Identity())
        self.part2 = parts["part2"]
        self.transition1 = parts.get("transition1", nn.Identity())
        self.transition2 = parts.get("transition2", nn.Identity())
        self.sliced = sliced
        self.c1, self.c2 = split.bypass, split.block
        self.gamma, self.gamma_effective = gamma, split.gamma
        self.fusion, self.preset, self.source_names = fusion, preset, source_names

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        if not self.c1:
            return cast(Tensor, self.transition2(self.transition1(self.part2(self.part2_in(x)))))
        # Views, not torch.split: autograd forbids in-place activations on one of several views made at once.
        bypass, processed = (x[:, : self.c1], x[:, self.c1 :]) if self.sliced else (x, x)
        bypass = self.part1(bypass)
        processed = self.transition1(self.part2(self.part2_in(processed)))
        return cast(Tensor, self.transition2(torch.cat((bypass, processed), 1)))

    def extra_repr(self) -> str:
        return (
            f"gamma={self.gamma_effective:.4g}, c1={self.c1}, c2={self.c2}, fusion={self.fusion}, preset={self.preset}"
        )
