"""Moves parameters. Groups are made by role; the update rule is all that a variant writes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

import torch
from torch import nn

from zoo.component import ROLE_KINDS, RoleKind, iter_parameters

DECAY_ROLES: frozenset[RoleKind] = frozenset({"matrix", "residual_out", "head"})  # never gains, biases, scalars


class Optimizer(torch.optim.Optimizer):
    """A `torch.optim.Optimizer` that states its memory and its work, and decays weights by role.

    Each parameter group carries `role`; a group without one (plain torch use) decays.
    """

    decay_roles: ClassVar[frozenset[RoleKind]] = DECAY_ROLES

    def __init__(self, params: Any, defaults: dict[str, Any]):
        super().__init__(params, defaults)
        decay_by_role(self, self.decay_roles)

    @abstractmethod
    def state_bytes(self, shape: torch.Size, role: RoleKind, dtype: torch.dtype) -> int:
        """Bytes of state kept for one parameter, the scalar step counters left out."""

    @abstractmethod
    def step_flops(self, shape: torch.Size, role: RoleKind) -> int:
        """FLOPs of one update of one parameter: one per elementwise operation, 2 per multiply-add of a product."""


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


def optimizer_step_flops(optimizer: torch.optim.Optimizer) -> int | None:
    """FLOPs of one step over all parameters; None for an optimizer that does not state them (`torch.optim`)."""
    if not isinstance(optimizer, Optimizer):
        return None
    return sum(
        optimizer.step_flops(p.shape, g.get("role", "matrix")) for g in optimizer.param_groups for p in g["params"]
    )
