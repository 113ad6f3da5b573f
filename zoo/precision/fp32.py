"""Everything in float32, with torch's switch for how its products may be rounded.

IEEE 754 binary32. On NVIDIA cards from Ampere on, matmul="high" multiplies in TF32 (10 bits of mantissa instead of 23;
NVIDIA 2020, A100 whitepaper) and "medium" in TF32 or bfloat16: faster, and another number in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

import torch

import zoo.precision.base as base
from zoo.precision.base import MatmulPrecision, Precision


@dataclass(frozen=True, kw_only=True)
class FP32(Precision):
    """Weights, gradients, state and products in float32.

    Args:
        matmul: `torch.set_float32_matmul_precision` while the run lasts.

    Raises:
        ValueError: matmul is not one of torch's three words.
    """

    compute_dtype: ClassVar[torch.dtype] = torch.float32
    param_bytes: ClassVar[int] = 4
    gradient_bytes: ClassVar[int] = 4
    state_dtype: ClassVar[torch.dtype] = torch.float32
    matmul: MatmulPrecision = "highest"

    def __post_init__(self) -> None:
        if self.matmul not in get_args(MatmulPrecision):
            raise ValueError(f"matmul={self.matmul!r} must be 'highest', 'high' or 'medium'")

    def plugin(self) -> base.LightningPrecision:
        from zoo.precision._plugins import Float32Plugin

        return Float32Plugin(matmul=self.matmul)
