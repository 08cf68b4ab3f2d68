"""Processor time of whole commands, beside the time that `import torch` takes.

    python benchmarks/startup.py [--rounds 5]

Targets: at most 1.35 x `import torch` for a comparison of ResNet-50 with its twin, and .25 s for `--help`.
"""

from __future__ import annotations

import argparse
import sys
from statistics import median

from measurement import RESULTS, hardware, markdown, process_cpu_seconds, software, write_csv

IMPORT = "python -c 'import torch'"
COMMANDS = {
    IMPORT: [sys.executable, "-c", "import torch"],
    "cspanalyze cio resnet50 --csp --gamma 0.5": [
        *(sys.executable, "-m", "cspanalyze", "cio", "resnet50", "--csp", "--gamma", "0.5")
    ],
    "cspanalyze flops resnet50": [sys.executable, "-m", "cspanalyze", "flops", "resnet50"],
    "cspanalyze --help": [sys.executable, "-m", "cspanalyze", "--help"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {title: [] for title in COMMANDS}
    failed: dict[str, str] = {}
    for _ in range(rounds + 1):  # the first round fills the caches of bytecode and of the disk
        for title, command in COMMANDS.items():
            try:
                seconds[title].append(process_cpu_seconds(command)[0])
            except RuntimeError as error:
                failed[title] = str(error)
    base = median(seconds[IMPORT][1:])
    rows = [(title, median(found[1:]), median(found[1:]) / base) for title, found in seconds.items() if found[1:]]
    write_csv(RESULTS / "startup.csv", ["command", "cpu_s", "ratio_to_import_torch"], rows)
    lines = [[title, f"{cpu:.3f}", f"{ratio:.2f}x"] for title, cpu, ratio in rows]
    print(f"{hardware()}; {software()}; one thread; processor seconds\n")
    print(markdown(["", "s", "to import torch"], lines))
    for title, message in failed.items():
        print(f"\n{title} failed: {message}", file=sys.stderr)


if __name__ == "__main__":
    main()
