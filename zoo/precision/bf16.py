"""Mixed bfloat16: float32 weights, products in bfloat16 through autocast.

Micikevicius et al. 2017 (Mixed Precision Training, arXiv 1710.03740); bfloat16 for training: Kalamkar et al. 2019
(arXiv 1905.12322). bfloat16 has the range of float32 with 7 bits of mantissa, so no loss scaling is needed.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

import zoo.precision.base as base
from zoo.precision.base import Precision


@dataclass(frozen=True, kw_only=True)
class BF16Mixed(Precision):
    """Weights, gradients and optimizer state in float32; autocast casts at each product."""

    compute_dtype: ClassVar[torch.dtype] = torch.bfloat16
    param_bytes: ClassVar[int] = 4
    gradient_bytes: ClassVar[int] = 4
    state_dtype: ClassVar[torch.dtype] = torch.float32

    def plugin(self) -> base.LightningPrecision:
        from zoo.precision._plugins import BF16MixedPlugin

        return BF16MixedPlugin()

    def autocast(self, device_type: str) -> AbstractContextManager[Any]:
        return torch.autocast(device_type, torch.bfloat16, cache_enabled=False)
