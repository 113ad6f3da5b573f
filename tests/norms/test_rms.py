"""Root mean square normalisation against sums written out in fp64."""

from __future__ import annotations

import math

import pytest
import torch

from tests.small import fill
from zoo.norms import RMSNorm


@torch.no_grad()
@pytest.mark.parametrize("eps", [1e-6, 0.5])
def test_equals_the_formula(eps: float) -> None:
    """eps stands inside the root: at 0.5 the place matters."""
    norm, x = RMSNorm(d_model=7, eps=eps), torch.randn(7)
    fill(norm)
    values = x.double().tolist()
    root = math.sqrt(sum(v * v for v in values) / 7 + eps)
    expected = [float(norm.gain[i]) * v / root for i, v in enumerate(values)]
    torch.testing.assert_close(norm(x).double(), torch.tensor(expected, dtype=torch.float64), rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_scale_does_not_matter_and_shift_does() -> None:
    norm, x = RMSNorm(d_model=64).double(), torch.randn(3, 64, dtype=torch.float64)
    fill(norm)
    torch.testing.assert_close(norm(100 * x), norm(x), rtol=1e-4, atol=1e-4)
    assert (norm(x + 1) - norm(x)).abs().max() > 0.1
