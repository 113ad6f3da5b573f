"""What holds for every precision, built with its default arguments."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from zoo.families import variants

every_variant = pytest.mark.parametrize("cls", variants("precision").values(), ids=lambda cls: cls.__name__)

# How far the loss after 40 steps may be from float64's, relatively: a few units in the last place of the products.
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


@pytest.fixture(scope="module")
def exact_losses() -> list[float]:
    """The same training in float64, in a plain loop."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.GELU(), torch.nn.Linear(64, 8)).double()
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(256, 16, generator=generator)
    y = x @ torch.randn(16, 8, generator=generator)
    optimizer, losses = torch.optim.AdamW(net.parameters(), lr=3e-3), []
    for step in range(40):
        rows = slice(32 * (step % 8), 32 * (step % 8) + 32)
        loss = (net(x[rows].double()) - y[rows]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@every_variant
def test_loss_is_near_that_of_float64(cls: type, fit: Any, exact_losses: list[float]) -> None:
    losses = fit(cls().plugin()).losses
    assert losses == pytest.approx(exact_losses, rel=TOLERANCE[cls.compute_dtype])
    assert losses[-1] < 0.7 * losses[0]


@every_variant
def test_products_are_in_the_stated_dtype(cls: type, fit: Any) -> None:
    assert fit(cls().plugin(), num_steps=2).dtypes == {cls.compute_dtype}


@every_variant
def test_facts_are_what_a_run_holds(cls: type, fit: Any) -> None:
    module = fit(cls().plugin(), num_steps=2)
    for parameter in module.parameters():
        assert parameter.element_size() == cls.param_bytes
        assert parameter.grad is not None and parameter.grad.element_size() == cls.gradient_bytes
    state = module.trainer.optimizers[0].state
    kept = {v.dtype for s in state.values() for v in s.values() if isinstance(v, torch.Tensor) and v.ndim}
    assert kept == {cls.state_dtype}


@every_variant
def test_gradient_clipping_holds_the_norm(cls: type, fit: Any) -> None:
    clipped = fit(cls().plugin(), num_steps=5, gradient_clip_val=0.01).norms
    free = fit(cls().plugin(), num_steps=5).norms
    assert len(clipped) == len(free) > 0
    assert clipped == pytest.approx([0.01] * len(clipped), rel=1e-3)
    assert min(free) > 0.02


@every_variant
def test_global_switches_are_as_before_a_run(cls: type, fit: Any) -> None:
    before = torch.get_float32_matmul_precision(), torch.get_default_dtype(), torch.is_autocast_enabled("cpu")
    fit(cls().plugin(), num_steps=1)
    after = torch.get_float32_matmul_precision(), torch.get_default_dtype(), torch.is_autocast_enabled("cpu")
    assert after == before


@every_variant
def test_each_plugin_is_fresh(cls: type) -> None:
    precision = cls()
    assert precision.plugin() is not precision.plugin()


def test_facts_do_not_import_lightning() -> None:
    code = "import sys, zoo.precision as p; p.FP32(); p.BF16Mixed(); print('lightning' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
