"""Moves parameters. Groups are made by role; the update rule is all that a variant writes."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from zoo.component import ROLE_KINDS, RoleKind, iter_parameters

DECAY_ROLES: frozenset[RoleKind] = frozenset({"matrix", "residual_out", "head"})  # never gains, biases, scalars

# torch hides this method from torch.compile, by a wrapper whose first call imports all of torch._dynamo. That takes
# seconds, and a planner makes an optimizer for every arm and compiles nothing.
_add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)


class Optimizer(torch.optim.Optimizer, ABC):
    """A `torch.optim.Optimizer` that states its memory and its work, and decays weights by role.

    Each parameter group carries `role`; a group without one (plain torch use) decays.
    """

    decay_roles: ClassVar[frozenset[RoleKind]] = DECAY_ROLES

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, with weight decay off where its role does not decay.

        Raises:
            ValueError: a parameter is not of a real floating-point type.
        """
        _add_param_group(self, param_group)
        for parameter in self.param_groups[-1]["params"]:
            if not parameter.is_floating_point():
                raise ValueError(f"a parameter is of {parameter.dtype}: expected a real floating-point type")
        decay_by_role(self, self.decay_roles)

    @abstractmethod
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; returns what `closure` returns (see `run_closure`)."""

    @abstractmethod
    def state_bytes(self, shape: torch.Size, role: RoleKind, dtype: torch.dtype) -> int:
        """Bytes of state kept for one parameter, the scalar step counters left out."""

    @abstractmethod
    def step_flops(self, shape: torch.Size, role: RoleKind) -> int:
        """FLOPs of one update of one parameter: one per elementwise operation, 2 per multiply-add of a product."""

    def decays(self, role: RoleKind) -> bool:
        """Whether a parameter of this role is decayed, with the decay that all groups share by default."""
        return role in self.decay_roles and self.defaults.get("weight_decay", 0.0) != 0.0


class OptimizerFactory(Protocol):
    """Builds an optimizer over groups `{"params": [...], "role": kind}`; any `torch.optim` class fits too."""

    def __call__(self, params: list[dict[str, Any]]) -> torch.optim.Optimizer: ...


def role_groups(model: nn.Module) -> list[dict[str, Any]]:
    """Parameters that train, one group per role, in a fixed order of roles and names."""
    by_role: dict[RoleKind, list[nn.Parameter]] = {kind: [] for kind in ROLE_KINDS}
    for _, parameter, role, _ in iter_parameters(model):
        if parameter.requires_grad:
            by_role[role.kind].append(parameter)
    return [{"params": params, "role": kind} for kind, params in by_role.items() if params]


def decay_by_role(optimizer: torch.optim.Optimizer, decay_roles: Iterable[RoleKind] = DECAY_ROLES) -> None:
    """Switch weight decay off in groups whose role does not decay; for `torch.optim` classes too."""
    for group in optimizer.param_groups:
        if group.get("role", "matrix") not in set(decay_roles) and "weight_decay" in group:
            group["weight_decay"] = 0.0


def run_closure(closure: Callable[[], Any] | None) -> Any:
    """What `closure` returns, computed with gradients on although a step runs without them; None without one."""
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()


def updated_parameters(group: dict[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
    """Parameters of a group that have a gradient, and their gradients.

    Raises:
        ValueError: a gradient is sparse.
    """
    params: list[Tensor] = [p for p in group["params"] if p.grad is not None]
    grads: list[Tensor] = [p.grad for p in params if p.grad is not None]
    if any(grad.is_sparse for grad in grads):
        raise ValueError("a gradient is sparse: expected dense ones (an embedding without sparse=True)")
    return params, grads


def check_not_negative(**values: float) -> None:
    """Refuse options below 0 (and NaN).

    Raises:
        ValueError: an option is below 0.
    """
    for name, value in values.items():
        if not value >= 0.0:
            raise ValueError(f"{name}={value} must be 0 or more")


def optimizer_step_flops(optimizer: torch.optim.Optimizer) -> int | None:
    """FLOPs of one step over all parameters; None for an optimizer that does not state them (`torch.optim`)."""
    if not isinstance(optimizer, Optimizer):
        return None
    return sum(
        optimizer.step_flops(p.shape, g.get("role", "matrix")) for g in optimizer.param_groups for p in g["params"]
    )
