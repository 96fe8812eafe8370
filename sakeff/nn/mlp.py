"""Small feed-forward networks and activations; every default activation is infinitely differentiable."""

from itertools import pairwise
from typing import List, Optional

from torch import Tensor, nn

from sakeff.nn.choose import choose

ACTIVATIONS = {"silu": nn.SiLU, "softplus": nn.Softplus, "celu": nn.CELU}


def make_activation(name: str) -> nn.Module:
    """``silu`` and ``softplus`` are smooth; ``celu`` is the literal choice of SAKE after eq. 9 and only C1."""
    activation: nn.Module = choose(ACTIVATIONS, "activation", name)()
    return activation


def make_mlp(sizes: List[int], last_bias: bool = True) -> nn.Sequential:
    """Linear maps with SiLU in between; none after the last."""
    layers: List[nn.Module] = []
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        is_last = i == len(sizes) - 2
        layers.append(nn.Linear(n_in, n_out, bias=last_bias or not is_last))
        if not is_last:
            layers.append(nn.SiLU())
    return nn.Sequential(*layers)


class PartLinear(nn.Linear):
    """The columns of a linear map that act on one part of its concatenated input; ``fan_in`` counts all columns.

    Drawn with the variance 1/fan_in, the parts together start like the unsplit layer.
    """

    def __init__(self, n_in: int, n_out: int, fan_in: int, bias: bool = False) -> None:
        super().__init__(n_in, n_out, bias=bias)
        self.fan_in = int(fan_in)


class PairLinear(nn.Module):
    """A linear map of ``x[centre] (+) x[other]``, split into two products per atom that are gathered.

    Equal to concatenating first, at the cost of N instead of E matrix rows. ``fan_in`` is that of a wider map of
    which this is a part, by default 2 n_in.
    """

    def __init__(self, n_in: int, n_out: int, fan_in: Optional[int] = None) -> None:
        super().__init__()
        fan_in = 2 * n_in if fan_in is None else fan_in
        self.centre = PartLinear(n_in, n_out, fan_in, bias=True)
        self.other = PartLinear(n_in, n_out, fan_in)

    def forward(self, x: Tensor, centre: Tensor, other: Tensor) -> Tensor:
        """Atoms (N, n_in) to edges (E, n_out)."""
        return self.centre(x).index_select(0, centre) + self.other(x).index_select(0, other)
