"""BF16Mixed: clipping under fused optimizers, and autocast on the model's own device."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from zoo.precision import BF16Mixed


def fused(params: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(params, lr=3e-3, fused=True)


@pytest.mark.parametrize("algorithm", ["norm", "value"])
def test_clips_under_a_fused_optimizer(algorithm: str, fit: Any) -> None:
    """Lightning's own plugin raises here, although bfloat16 has nothing to unscale."""
    options = {"num_steps": 5, "gradient_clip_val": 0.001, "gradient_clip_algorithm": algorithm}
    clipped, free = fit(BF16Mixed().plugin(), fused, **options), fit(BF16Mixed().plugin(), fused, num_steps=5)
    largest = [max(float(p.grad.abs().max()) for p in m.parameters()) for m in (clipped, free)]
    assert largest[0] <= 0.001 * (1 + 1e-6) < largest[1]
    plain = fit(BF16Mixed().plugin(), lambda params: torch.optim.AdamW(params, lr=3e-3), **options)
    assert clipped.losses == pytest.approx(plain.losses, rel=1e-4)


def test_weights_stay_in_float32(fit: Any) -> None:
    """An update smaller than bfloat16 can hold next to a weight is not lost."""
    module = fit(BF16Mixed().plugin(), lambda params: torch.optim.SGD(params, lr=1e-6), num_steps=1)
    start = fit(BF16Mixed().plugin(), lambda params: torch.optim.SGD(params, lr=0.0), num_steps=1)
    moved = [not torch.equal(a, b) for a, b in zip(module.parameters(), start.parameters(), strict=True)]
    assert all(moved)
    same = [
        torch.equal(a.bfloat16(), b.bfloat16())
        for a, b in zip(module.net, start.net, strict=True)
        for a, b in zip(a.parameters(), b.parameters(), strict=True)
    ]
    assert any(same)


def test_autocast_follows_the_model() -> None:
    plugin = BF16Mixed().plugin()
    plugin.connect(nn.Linear(2, 2, device="cpu"), [], [])
    with plugin.forward_context():
        assert torch.is_autocast_enabled("cpu")
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype == torch.bfloat16
    plugin.connect(nn.Linear(2, 2, device="meta"), [], [])
    assert plugin.device == "meta"
    plugin.connect(nn.Identity(), [], [])  # no parameters: as it was
    assert plugin.device == "meta"
    assert plugin.state_dict() == {}
