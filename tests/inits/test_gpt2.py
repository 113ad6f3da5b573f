"""GPT-2's initialisation: measured widths."""

from __future__ import annotations

import math

import pytest
import torch

from zoo.inits import GPT2Init
from zoo.inits.base import stream

SHAPE = torch.Size([400, 500])


@pytest.mark.parametrize("role", ["matrix", "embedding", "head"])
@pytest.mark.parametrize("fan_in", [1, 500])
def test_one_width_whatever_the_fan_in(role: str, fan_in: int) -> None:
    value = GPT2Init(std=0.05).value(role, SHAPE, fan_in, 12, stream(0, role))
    assert float(value.std()) == pytest.approx(0.05, rel=0.01) and abs(float(value.mean())) < 0.001
    assert float(value.abs().max()) > 0.05 * 3.5  # not truncated


@pytest.mark.parametrize("num_layers", [1, 12, 48])
def test_residual_outputs_are_narrowed_by_the_depth(num_layers: int) -> None:
    value = GPT2Init().value("residual_out", SHAPE, 500, num_layers, stream(0, "x"))
    assert float(value.std()) == pytest.approx(0.02 / math.sqrt(2 * num_layers), rel=0.01)


@pytest.mark.parametrize("std", [0.0, -0.02])
def test_refused_std(std: float) -> None:
    with pytest.raises(ValueError, match=rf"std={std} must be above 0"):
        GPT2Init(std=std)
