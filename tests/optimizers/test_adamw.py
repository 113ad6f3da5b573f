"""AdamW against its equations in float64, against torch's, and against a step done by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.optimizers import AdamW
from zoo.optimizers.base import decay_by_role, optimizer_step_flops, role_groups


def reference_step(
    theta: Tensor, g: Tensor, m: Tensor, v: Tensor, t: int, lr: float, betas: Any, eps: float, decay: float
) -> tuple[Tensor, Tensor, Tensor]:
    """One parameter, step t from 1, as the equations stand: new theta, m, v."""
    b1, b2 = betas
    if decay:
        theta = theta * (1 - lr * decay)
    m = b1 * m + (1 - b1) * g
    v = b2 * v + (1 - b2) * g * g
    root = (v / (1 - b2**t)).sqrt() + eps
    return theta - (lr / (1 - b1**t)) * (m / root), m, v


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_equals_the_equations_for_100_steps(decay: float, every_role: Any, set_gradients: Any) -> None:
    model = every_role(torch.float64)
    optimizer = AdamW(model.parameters(), lr=0.01, betas=(0.8, 0.97), eps=1e-6, weight_decay=decay)
    rows = [(p.detach().clone(), torch.zeros_like(p), torch.zeros_like(p)) for p in model.parameters()]
    for step in range(100):
        set_gradients(model, step)
        for i, parameter in enumerate(model.parameters()):
            theta, m, v = rows[i]
            rows[i] = reference_step(theta, parameter.grad, m, v, step + 1, 0.01, (0.8, 0.97), 1e-6, decay)
        optimizer.step()
    for parameter, (theta, _, _) in zip(model.parameters(), rows, strict=True):
        torch.testing.assert_close(parameter.detach(), theta, rtol=1e-12, atol=1e-12)


def test_equals_torch_over_the_same_groups(every_role: Any, set_gradients: Any) -> None:
    """Also where a parameter goes without a gradient now and then: it keeps its own count of steps."""
    options: dict[str, Any] = {"lr": 3e-3, "betas": (0.9, 0.95), "eps": 1e-8, "weight_decay": 0.1}
    ours, theirs = every_role(), every_role()
    optimizers = AdamW(role_groups(ours), **options), torch.optim.AdamW(role_groups(theirs), **options)
    decay_by_role(optimizers[1])
    for step in range(100):
        for model, optimizer in zip((ours, theirs), optimizers, strict=True):
            set_gradients(model, step)
            if step % 3 == 0:
                model.head.grad = None
            optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    steps = {optimizers[0].state[p]["step"] for p in ours.parameters()}
    assert steps == {100, 66}


def test_first_step_by_hand() -> None:
    """After one step m / (1 - b1) = g and v / (1 - b2) = g^2: the update is lr * sign(g), whatever the gradient's size;
    and the decay takes lr * wd = 0.05 of 2."""
    weight = nn.Parameter(torch.tensor([2.0, 2.0]))
    weight.grad = torch.tensor([100.0, -0.01])
    AdamW([weight], lr=0.1, eps=0.0, weight_decay=0.5).step()
    torch.testing.assert_close(weight.detach(), torch.tensor([2.0 - 0.1 - 0.1, 2.0 - 0.1 + 0.1]))


def test_a_scheduled_rate_scales_the_decay_too() -> None:
    """Coupled to the rate, as in torch: at lr = 0 nothing moves."""
    weight = nn.Parameter(torch.ones(2, 2))
    optimizer = AdamW([weight], lr=0.1, weight_decay=0.5)
    optimizer.param_groups[0]["lr"] = 0.0
    weight.grad = torch.ones(2, 2)
    optimizer.step()
    assert torch.equal(weight, torch.ones(2, 2))


@pytest.mark.parametrize(("decay", "per_element"), [(0.0, 13), (0.1, 14)])
def test_flops_are_those_of_the_equations(decay: float, per_element: int, count_flops: Any) -> None:
    weight = nn.Parameter(torch.ones(3, 5))
    zeros, g = torch.zeros(3, 5), torch.ones(3, 5)
    counted = count_flops(lambda: reference_step(weight.detach(), g, zeros, zeros, 2, 0.1, (0.9, 0.95), 1e-8, decay))
    optimizer = AdamW([weight], weight_decay=decay)
    assert counted == optimizer_step_flops(optimizer) == per_element * 15
    assert optimizer.step_flops(weight.shape, "gain") == 13 * 15


def test_state_is_in_the_dtype_of_the_parameter(every_role: Any, set_gradients: Any) -> None:
    model = every_role(torch.bfloat16)
    optimizer = AdamW(model.parameters())
    set_gradients(model, 0)
    optimizer.step()
    kept = [v for state in optimizer.state.values() for v in state.values() if isinstance(v, Tensor)]
    assert len(kept) == 14
    assert {v.dtype for v in kept} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"betas": (1.0, 0.9)}, r"^betas=\(1\.0, 0\.9\) must be two numbers in \[0, 1\)$"),
        ({"betas": (0.9, -0.1)}, r"^betas=\(0\.9, -0\.1\) must be two numbers in \[0, 1\)$"),
        ({"betas": (0.9,)}, r"^betas=\(0\.9,\) must be two numbers in \[0, 1\)$"),
        ({"eps": -1e-8}, r"^eps=-1e-08 must be 0 or more$"),
        ({"weight_decay": -0.1}, r"^weight_decay=-0\.1 must be 0 or more$"),
    ],
)
def test_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdamW([nn.Parameter(torch.ones(2))], **options)
