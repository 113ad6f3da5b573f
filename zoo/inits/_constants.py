"""First values that do not depend on chance, and on which all inits agree."""

from __future__ import annotations

import torch
from torch import Tensor

from zoo.component import RoleKind


def constant_value(role: RoleKind, shape: torch.Size) -> Tensor | None:
    """Gains 1, biases 0, scalars 0: a scalar adds nothing until it has learned to. A method whose scalar starts
    elsewhere says so in `Component.own_values`. None for a role that is drawn."""
    if role == "gain":
        return torch.ones(shape)
    if role in ("bias", "scalar"):
        return torch.zeros(shape)
    return None
