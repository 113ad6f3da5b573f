"""Chooses dtypes: facts for the planner, and a Lightning plugin for the worker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

# Importing Lightning costs seconds, and a planner never needs it. Only here: jsonargparse runs such a block of the file
# of every class that a recipe names, so a variant has none and says `base.LightningPrecision`.
if TYPE_CHECKING:
    from lightning.pytorch.plugins.precision import Precision as LightningPrecision

MatmulPrecision = Literal["highest", "high", "medium"]


class Precision(ABC):
    """What a run computes in. Bytes are per parameter."""

    compute_dtype: ClassVar[torch.dtype]  # the dtype that matrices multiply in: decides the peak that MFU is held to
    param_bytes: ClassVar[int]  # weights, with their master copy if there is one
    gradient_bytes: ClassVar[int]
    state_dtype: ClassVar[torch.dtype]  # what optimizer state is kept in
    matmul: MatmulPrecision = "highest"  # torch's switch for products of float32: decides their peak too

    @abstractmethod
    def plugin(self) -> LightningPrecision:
        """A fresh Lightning `Precision` plugin for `Trainer(plugins=[...])`."""

    def autocast(self, device_type: str) -> AbstractContextManager[Any]:
        """What a forward pass runs within, as the plugin has it. Lightning leaves autocast's cache off."""
        return nullcontext()
