"""An operator of your own, and the formula that says what it costs.

    python examples/custom_op.py

Without a formula an operation is listed beside the total, never counted as nothing.
"""

import torch
from torch import nn

import cspanalyze
from cspanalyze.costs import Call, Cost


@torch.library.custom_op("gatekit::low_rank", mutates_args=())
def low_rank(x: torch.Tensor, down: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """y = x (down up)^T, by two small products: x is (N, I), down (R, I), up (O, R)."""
    return (x @ down.T) @ up.T


@low_rank.register_fake
def _shape(x: torch.Tensor, down: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return x.new_empty(x.shape[0], up.shape[0])


class LowRank(nn.Module):
    """A linear layer whose weight is a product of two thin matrices."""

    def __init__(self, inputs: int, outputs: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, inputs))
        self.up = nn.Parameter(torch.randn(outputs, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return low_rank(x, self.down, self.up)


if __name__ == "__main__":
    net, x = LowRank(512, 256, rank=16), torch.rand(4, 512)
    before = cspanalyze.analyze(net, x, metrics=("macs",)).result("macs")
    print("without a formula:", before.total, "MACs, and", before.uncovered[0].op, "left out")

    @cspanalyze.register_formula("gatekit.low_rank")
    def _cost(call: Call) -> Cost:
        (batch, inputs), (rank, _), (outputs, _) = call.shape(0), call.shape(1), call.shape(2)
        return Cost("matmul", macs=batch * rank * (inputs + outputs), activations=batch * outputs)

    after = cspanalyze.analyze(net, x, metrics=("macs",)).result("macs")
    print("with one:", after.total, "MACs =", "4 x 16 x (512 + 256)")
