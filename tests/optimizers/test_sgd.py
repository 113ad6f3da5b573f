"""SGD against its equations in float64, and against torch's."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.optimizers import SGD
from zoo.optimizers.base import optimizer_step_flops, role_groups

OPTIONS = [
    {"lr": 0.1},
    {"lr": 0.1, "weight_decay": 0.01},
    {"lr": 0.05, "momentum": 0.9},
    {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
]
each_option = pytest.mark.parametrize("options", OPTIONS, ids=lambda o: " ".join(f"{k}={v}" for k, v in o.items()))


def reference_step(
    theta: Tensor,
    g: Tensor,
    b: Tensor | None,
    *,
    lr: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor | None]:
    """One parameter, one step, as the equations stand: new theta and momentum."""
    if weight_decay:
        g = g + weight_decay * theta
    direction = g
    if momentum:
        b = g if b is None else momentum * b + g
        direction = g + momentum * b if nesterov else b
    return theta - lr * direction, b


@each_option
def test_equals_the_equations_for_100_steps(options: dict[str, Any], every_role: Any, set_gradients: Any) -> None:
    model = every_role(torch.float64)
    optimizer = SGD(model.parameters(), **options)
    thetas, momenta = [p.detach().clone() for p in model.parameters()], [None] * 7
    for step in range(100):
        set_gradients(model, step)
        for i, parameter in enumerate(model.parameters()):
            thetas[i], momenta[i] = reference_step(thetas[i], parameter.grad, momenta[i], **options)
        optimizer.step()
    for parameter, theta in zip(model.parameters(), thetas, strict=True):
        torch.testing.assert_close(parameter.detach(), theta, rtol=1e-12, atol=1e-12)


@each_option
def test_equals_torch(options: dict[str, Any], every_role: Any, set_gradients: Any) -> None:
    ours, theirs = every_role(), every_role()
    optimizers = SGD(ours.parameters(), **options), torch.optim.SGD(theirs.parameters(), **options)
    for step in range(100):
        for model, optimizer in zip((ours, theirs), optimizers, strict=True):
            set_gradients(model, step)
            if step % 3 == 0:
                model.bias.grad = None
            optimizer.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@each_option
def test_flops_are_those_of_the_equations(options: dict[str, Any], every_role: Any, count_flops: Any) -> None:
    optimizer = SGD([{"params": [every_role().matrix], "role": "matrix"}], **options)
    theta, g, b = torch.ones(3, 5), torch.ones(3, 5), torch.ones(3, 5)
    counted = count_flops(lambda: reference_step(theta, g, b, **options))
    assert counted == optimizer_step_flops(optimizer)


@each_option
def test_stated_flops_and_bytes_are_measured(
    options: dict[str, Any], every_role: Any, set_gradients: Any, count_flops: Any
) -> None:
    model = every_role()
    optimizer = SGD(role_groups(model), **options)
    for step in range(2):
        set_gradients(model, step)
        flops = count_flops(optimizer.step)
    assert flops == optimizer_step_flops(optimizer)
    for parameter in model.parameters():
        bytes_kept = sum(state.nbytes for state in optimizer.state[parameter].values())
        assert bytes_kept == optimizer.state_bytes(parameter.shape, "matrix", torch.float32)
        assert bytes_kept == (4 * parameter.numel() if options.get("momentum") else 0)


def test_momentum_continues_bit_for_bit_after_load(every_role: Any, set_gradients: Any) -> None:
    whole, resumed = every_role(torch.bfloat16), every_role(torch.bfloat16)
    optimizer, fresh = (SGD(m.parameters(), lr=0.1, momentum=0.9, nesterov=True) for m in (whole, resumed))
    set_gradients(whole, 0)
    optimizer.step()
    resumed.load_state_dict(whole.state_dict())
    fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))  # what comes from a file is a copy
    for model, stepper in ((whole, optimizer), (resumed, fresh)):
        set_gradients(model, 1)
        stepper.step()
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
    assert {v.dtype for state in fresh.state.values() for v in state.values()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"momentum": 1.0}, r"^momentum=1\.0 must be in \[0, 1\)$"),
        ({"momentum": -0.1}, r"^momentum=-0\.1 must be in \[0, 1\)$"),
        ({"nesterov": True}, r"^nesterov=True needs momentum above 0, got momentum=0\.0$"),
        ({"weight_decay": -1.0}, r"^weight_decay=-1\.0 must be 0 or more$"),
        ({"lr": float("nan")}, r"^lr=nan must be 0 or more$"),
    ],
)
def test_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SGD([nn.Parameter(torch.ones(2))], **options)
