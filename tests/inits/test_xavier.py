"""Truncated Xavier initialisation: measured widths and cuts."""

from __future__ import annotations

import math

import pytest
import torch

from zoo.inits import XavierTruncated
from zoo.inits.base import stream

CUT_STD = 0.98658  # standard deviation of N(0, 1) cut at ±3: sqrt(1 - 6 φ(3) / (2 Φ(3) - 1))


@pytest.mark.parametrize("role", ["matrix", "residual_out", "head"])
def test_variance_and_cut_of_matrices(role: str) -> None:
    value = XavierTruncated().value(role, torch.Size([300, 700]), 700, 12, stream(0, role))
    sigma = math.sqrt(2 / (300 + 700))
    assert float(value.std()) == pytest.approx(CUT_STD * sigma, rel=0.01)
    assert 2.9 * sigma < float(value.abs().max()) <= 3 * sigma + 1e-7


@pytest.mark.parametrize(("fan_in", "sigma"), [(1, 1.0), (64, 0.125)])
def test_a_lookup_is_standard_normal_and_a_tied_table_is_narrower(fan_in: int, sigma: float) -> None:
    value = XavierTruncated().value("embedding", torch.Size([1000, 64]), fan_in, 12, stream(0, "x"))
    assert float(value.std()) == pytest.approx(CUT_STD * sigma, rel=0.02)
    assert 2.9 * sigma < float(value.abs().max()) <= 3 * sigma + 1e-6


def test_the_cut_width_is_the_integral() -> None:
    density = math.exp(-4.5) / math.sqrt(2 * math.pi)
    assert math.sqrt(1 - 6 * density / math.erf(3 / math.sqrt(2))) == pytest.approx(CUT_STD, abs=1e-5)
