"""The plain MLP against sums written out with math.erf and friends."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from tests.small import context, fill
from zoo.ffns import MLP

FORMULAS: dict[str, Callable[[float], float]] = {
    "gelu": lambda x: x / 2 * (1 + math.erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu": lambda x: max(x, 0.0),
    "relu2": lambda x: max(x, 0.0) ** 2,
    "silu": lambda x: x / (1 + math.exp(-x)),
}


@torch.no_grad()
@pytest.mark.parametrize("activation", FORMULAS)
@pytest.mark.parametrize("bias", [False, True])
def test_equals_the_formula(activation: str, bias: bool) -> None:
    ffn = MLP(d_model=4, layer=0, d_ff=6, activation=activation, bias=bias)
    fill(ffn, std=1.0)
    x = torch.randn(4, generator=torch.Generator().manual_seed(3))
    up, down = ffn.up.weight.double(), ffn.down.weight.double()
    up_bias = ffn.up.bias.double() if bias else torch.zeros(6)
    down_bias = ffn.down.bias.double() if bias else torch.zeros(4)
    inner = [FORMULAS[activation](float(up[f] @ x.double() + up_bias[f])) for f in range(6)]
    expected = [sum(float(down[d, f]) * inner[f] for f in range(6)) + float(down_bias[d]) for d in range(4)]
    y = ffn(x[None, None], context(1, 1))[0, 0]
    torch.testing.assert_close(y.double(), torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-6)


def test_default_width_is_4_d_model() -> None:
    assert MLP(d_model=128, layer=0).d_ff == 512
    assert MLP(d_model=10, layer=0, multiple_of=64).d_ff == 64
    assert MLP(d_model=10, layer=0, multiple_of=1).d_ff == 40
