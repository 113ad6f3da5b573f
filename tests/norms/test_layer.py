"""Layer normalisation against sums written out in fp64."""

from __future__ import annotations

import math

import pytest
import torch

from tests.small import fill
from zoo.norms import LayerNorm


@torch.no_grad()
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("eps", [1e-5, 0.5])
def test_equals_the_formula(bias: bool, eps: float) -> None:
    """eps stands inside the root: at 0.5 the place matters."""
    norm, x = LayerNorm(d_model=7, eps=eps, bias=bias), torch.randn(7)
    fill(norm)
    values = x.double().tolist()
    mean = sum(values) / 7
    variance = sum((v - mean) ** 2 for v in values) / 7  # of the population, not of a sample
    expected = [
        float(norm.gain[i]) * (v - mean) / math.sqrt(variance + eps) + (float(norm.bias[i]) if bias else 0.0)
        for i, v in enumerate(values)
    ]
    torch.testing.assert_close(norm(x).double(), torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_shift_and_scale_of_the_input_do_not_matter() -> None:
    norm, x = LayerNorm(d_model=64).double(), torch.randn(3, 64, dtype=torch.float64)
    fill(norm)
    torch.testing.assert_close(norm(100 * x + 7), norm(x), rtol=1e-4, atol=1e-4)


def test_without_bias_there_is_one_parameter() -> None:
    assert [n for n, _ in LayerNorm(d_model=4, bias=False).named_parameters()] == ["gain"]
