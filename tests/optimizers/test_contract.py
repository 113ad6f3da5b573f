"""What holds for every optimizer, built with its default arguments."""

from __future__ import annotations

import inspect
import io
from typing import Any

import pytest
import torch
from torch import nn

from zoo.component import ROLE_KINDS
from zoo.families import variants
from zoo.optimizers import Optimizer
from zoo.optimizers.base import DECAY_ROLES, decay_by_role, optimizer_step_flops, role_groups

every_variant = pytest.mark.parametrize("cls", variants("optimizers").values(), ids=lambda cls: cls.__name__)


@every_variant
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_state_is_as_large_as_stated(cls: type, dtype: torch.dtype, every_role: Any, set_gradients: Any) -> None:
    model = every_role(dtype)
    optimizer = cls(role_groups(model))
    for step in range(2):
        set_gradients(model, step)
        optimizer.step()
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            tensors = [v for v in optimizer.state[parameter].values() if isinstance(v, torch.Tensor) and v.ndim]
            measured = sum(t.untyped_storage().nbytes() for t in tensors)
            assert measured == optimizer.state_bytes(parameter.shape, group["role"], dtype)


@every_variant
def test_arithmetic_is_as_stated(cls: type, every_role: Any, set_gradients: Any, count_flops: Any) -> None:
    model = every_role()
    optimizer = cls(role_groups(model))
    set_gradients(model, 0)
    optimizer.step()  # the first step also makes the state
    set_gradients(model, 1)
    assert count_flops(optimizer.step) == optimizer_step_flops(optimizer) > 0


@every_variant
def test_continues_bit_for_bit_after_save_and_load(cls: type, every_role: Any, set_gradients: Any) -> None:
    def steps(model: nn.Module, optimizer: torch.optim.Optimizer, numbers: range) -> None:
        for step in numbers:
            set_gradients(model, step)
            optimizer.step()

    whole = every_role()
    optimizer = cls(role_groups(whole))
    steps(whole, optimizer, range(5))
    file = io.BytesIO()
    torch.save({"model": whole.state_dict(), "optimizer": optimizer.state_dict()}, file)
    steps(whole, optimizer, range(5, 10))

    resumed = every_role()
    fresh = cls(role_groups(resumed))
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    resumed.load_state_dict(saved["model"])
    fresh.load_state_dict(saved["optimizer"])
    steps(resumed, fresh, range(5, 10))
    for (name, a), b in zip(whole.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b), name


@every_variant
def test_only_some_roles_decay(cls: type, every_role: Any) -> None:
    options = {"weight_decay": 0.5} if "weight_decay" in inspect.signature(cls).parameters else {}
    model = every_role()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = cls(role_groups(model), **options)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    changed = {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert changed == (set(cls.decay_roles) if options else set())
    assert {name for name in ROLE_KINDS if optimizer.decays(name)} == changed


@every_variant
def test_a_group_added_later_decays_by_its_role_too(cls: type) -> None:
    if "weight_decay" not in inspect.signature(cls).parameters:
        pytest.skip("has no weight decay")
    optimizer = cls([{"params": [nn.Parameter(torch.ones(2, 2))], "role": "matrix"}], weight_decay=0.5)
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(2))], "role": "gain"})
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.5, 0.0]


@every_variant
def test_takes_plain_parameters(cls: type, every_role: Any, set_gradients: Any) -> None:
    """Without roles it does what it does to a matrix."""
    plain, grouped = every_role(), every_role()
    for model, groups in ((plain, list(plain.parameters())), (grouped, [{"params": list(grouped.parameters())}])):
        optimizer = cls(groups)
        for step in range(3):
            set_gradients(model, step)
            optimizer.step()
    for a, b, start in zip(plain.parameters(), grouped.parameters(), every_role().parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, start)


@every_variant
def test_a_parameter_without_gradient_is_left_alone(cls: type, every_role: Any, set_gradients: Any) -> None:
    model = every_role()
    before = model.matrix.detach().clone()
    optimizer = cls(role_groups(model))
    set_gradients(model, 0)
    model.matrix.grad = None
    optimizer.step()
    assert torch.equal(model.matrix, before)
    assert not optimizer.state.get(model.matrix)


@every_variant
def test_closure_runs_with_gradients_and_its_loss_is_returned(cls: type) -> None:
    weight = nn.Parameter(torch.ones(3, 3))
    optimizer = cls([weight])

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 9.0
    assert weight.detach().abs().sum() < 9.0
    assert optimizer.step() is None


@every_variant
def test_descends(cls: type) -> None:
    target = torch.linspace(-1, 1, 12).view(3, 4)
    weight = nn.Parameter(torch.zeros(3, 4))
    optimizer = cls([weight])
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = (weight - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@every_variant
def test_refuses_a_negative_rate(cls: type) -> None:
    with pytest.raises(ValueError, match=r"^lr=-0\.1 must be 0 or more$"):
        cls([nn.Parameter(torch.ones(2))], lr=-0.1)


@every_variant
def test_refuses_parameters_that_are_not_real(cls: type) -> None:
    weight = nn.Parameter(torch.ones(2, dtype=torch.complex64))
    with pytest.raises(ValueError, match=r"^a parameter is of torch\.complex64: expected a real floating-point type$"):
        cls([weight])


@every_variant
def test_refuses_sparse_gradients(cls: type) -> None:
    table = nn.Embedding(5, 2, sparse=True)
    optimizer = cls(table.parameters())
    table(torch.tensor([1, 3])).sum().backward()
    with pytest.raises(ValueError, match=r"^a gradient is sparse: expected dense ones"):
        optimizer.step()


def test_base_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Optimizer([nn.Parameter(torch.ones(2))], {})  # type: ignore[abstract]
    assert "Optimizer" not in variants("optimizers")


def test_role_groups_leave_frozen_parameters_out(every_role: Any) -> None:
    model = every_role()
    model.head.requires_grad_(False)
    groups = role_groups(model)
    assert [group["role"] for group in groups] == [kind for kind in ROLE_KINDS if kind != "head"]


def test_torch_optimizers_decay_by_role_and_state_no_flops(every_role: Any) -> None:
    optimizer = torch.optim.AdamW(role_groups(every_role()), weight_decay=0.3)
    decay_by_role(optimizer)
    decays = {group["role"]: group["weight_decay"] for group in optimizer.param_groups}
    assert decays == {kind: 0.3 if kind in DECAY_ROLES else 0.0 for kind in ROLE_KINDS}
    assert optimizer_step_flops(optimizer) is None
