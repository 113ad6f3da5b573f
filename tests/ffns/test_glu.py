"""Gated layers against sums written out."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from tests.small import context, fill
from zoo.ffns import GLU

FORMULAS: dict[str, Callable[[float], float]] = {
    "swiglu": lambda x: x / (1 + math.exp(-x)),
    "geglu": lambda x: x / 2 * (1 + math.erf(x / math.sqrt(2))),
    "reglu": lambda x: max(x, 0.0),
    "bilinear": lambda x: x,
}


@torch.no_grad()
@pytest.mark.parametrize("activation", FORMULAS)
@pytest.mark.parametrize("bias", [False, True])
def test_equals_the_formula(activation: str, bias: bool) -> None:
    """The activation is on the gate, never on the other projection."""
    ffn = GLU(d_model=4, layer=0, d_ff=6, activation=activation, bias=bias)
    fill(ffn, std=1.0)
    x = torch.randn(4, generator=torch.Generator().manual_seed(3)).double()
    gate, up, down = (m.weight.double() for m in (ffn.gate, ffn.up, ffn.down))
    zeros = torch.zeros(6).double()
    gate_bias, up_bias = (ffn.gate.bias.double(), ffn.up.bias.double()) if bias else (zeros, zeros)
    inner = [FORMULAS[activation](float(gate[f] @ x + gate_bias[f])) * float(up[f] @ x + up_bias[f]) for f in range(6)]
    down_bias = ffn.down.bias.double() if bias else torch.zeros(4)
    expected = [sum(float(down[d, f]) * inner[f] for f in range(6)) + float(down_bias[d]) for d in range(4)]
    y = ffn(x.float()[None, None], context(1, 1))[0, 0]
    torch.testing.assert_close(y.double(), torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-6)


def test_default_width_is_8_thirds_d_model() -> None:
    assert GLU(d_model=96, layer=0).d_ff == 256
    assert GLU(d_model=128, layer=0).d_ff == 344  # 341.33
    assert GLU(d_model=128, layer=0, multiple_of=64).d_ff == 320
    assert GLU(d_model=1600, layer=0, d_ff=6400).d_ff == 6400
