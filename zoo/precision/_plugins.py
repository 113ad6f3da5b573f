"""The Lightning side of the precisions: imported when a worker trains, never by a planner."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.plugins.precision import MixedPrecision
from lightning.pytorch.plugins.precision import Precision as LightningPrecision
from torch import nn

from zoo.precision.base import MatmulPrecision


class Float32Plugin(LightningPrecision):
    """Float32; sets torch's switch for float32 products when a run begins and puts it back when it ends.

    Args:
        matmul: "highest", "high" or "medium". Only this switch of torch's is used: mixed with
            `torch.backends.cuda.matmul.fp32_precision`, its getter raises.
    """

    def __init__(self, *, matmul: MatmulPrecision):
        self.matmul = matmul
        self._before: str | None = None  # None outside a run

    def connect(
        self, model: nn.Module, optimizers: list[torch.optim.Optimizer], lr_schedulers: list[Any]
    ) -> tuple[nn.Module, list[torch.optim.Optimizer], list[Any]]:
        if self._before is None:
            self._before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(self.matmul)
        return super().connect(model, optimizers, lr_schedulers)

    def teardown(self) -> None:
        if self._before is not None:
            torch.set_float32_matmul_precision(self._before)
            self._before = None
        super().teardown()


class BF16MixedPlugin(MixedPrecision):
    """Lightning's bf16-mixed, on whatever device the model is, and with gradient clipping under fused optimizers."""

    def __init__(self) -> None:
        super().__init__("bf16-mixed", device="cuda" if torch.cuda.is_available() else "cpu")

    def connect(
        self, model: nn.Module, optimizers: list[torch.optim.Optimizer], lr_schedulers: list[Any]
    ) -> tuple[nn.Module, list[torch.optim.Optimizer], list[Any]]:
        first = next(model.parameters(), None)
        if first is not None:
            self.device = first.device.type
        return super().connect(model, optimizers, lr_schedulers)

    def clip_gradients(self, optimizer: torch.optim.Optimizer, *args: Any, **kwargs: Any) -> None:
        # Lightning 2.6 refuses fused optimizers here because they unscale by themselves (lightning#21435); bfloat16
        # has no scaler, so there is nothing to unscale, and the plain clipping of the base class is right.
        super(MixedPrecision, self).clip_gradients(optimizer, *args, **kwargs)
