"""Writes tools.md from benchmarks/results/peers.csv: `python docs/tools.py`."""

from __future__ import annotations

import csv
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE / "tools.md"
_TEXT = """# Beside other tools

<!-- Written by `python docs/tools.py` from benchmarks/results/peers.csv: change it there. -->

What counters make of five networks, at their default input and batch 1. Made by `python benchmarks/peers.py`
({hardware}, {date}); the versions are those of `constraints.txt`.

## The count

MACs, or what the tool gives in their place, in millions; in brackets the deviation from ours.

{counts}

Ours and FlopCounterMode agree to the unit. Why others differ, where the difference was traced to its cause (for torch,
fvcore and thop `cspanalyze flops MODEL --engine all` does so operator by operator):

* **fvcore** adds batch norm (2 per element), layer norm (5), adaptive pooling and up-sampling to MACs, and has no rule
  for fused attention. ViT: 17,563.8 - 715.3 (2 x 12 x 197² x 768, both products of attention) + 18.9 (25 layer norms of
  197 x 768, 5 each) = 16,867.4.
* **thop** counts by module class and adds norms and pooling; what no module does is not seen. ViT:
  17,563.8 - 715.3 = 16,848.5.
* **torchinfo** counts parameters times the positions of a convolution's output, biases and norms among them (ResNet-50:
  53,120 + 1,000 more), and a linear layer once, however many tokens go through it: ViT and ConvNeXt.
* **ptflops (aten)** adds biases (ResNet-50: 1,000 more). What ptflops (pytorch) leaves out in ViT was not traced.

## The time

Milliseconds of processor time for one network that is there already; less is better.

{times}
"""


def page() -> str:
    """The whole page."""
    with (HERE.parent / "benchmarks" / "results" / "peers.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["tool"] != "nothing"]
    networks = list(dict.fromkeys(row["network"] for row in rows))
    tools = list(dict.fromkeys(row["tool"] for row in rows))
    found = {(row["tool"], row["network"]): row for row in rows}
    ours = {network: int(found[tools[0], network]["macs"]) for network in networks}

    def count(tool: str, network: str) -> str:
        macs = int(found[tool, network]["macs"])
        share = 100 * (macs / ours[network] - 1)
        return f"{macs / 1e6:,.1f}" + ("" if macs == ours[network] else f" ({share:+.1f} %)")

    def time(tool: str, network: str) -> str:
        return f"{1000 * float(found[tool, network]['warm_cpu_s']):.0f}"

    head = f"| | {' | '.join(networks)} |\n| --- |{' ---: |' * len(networks)}\n"
    counts, times = (
        head + "\n".join(f"| {tool} | {' | '.join(cell(tool, network) for network in networks)} |" for tool in tools)
        for cell in (count, time)
    )
    return _TEXT.format(hardware=rows[0]["hardware"], date=rows[0]["date"], counts=counts, times=times)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
