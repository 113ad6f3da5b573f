"""The fused kernels that a CUDA device runs, on tensors of any device that have no memory: what they save differs from
what the CPU's operations save, and a machine without CUDA is where a run is planned.

Half-precision attention without an additive mask goes to the flash kernel (saves its operands, its result and a float32
log-sum per query and head), other attention to the memory-efficient one; RMSNorm saves one float32 per row, dropout one
byte per element.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

aten = torch.ops.aten
_HALF = (torch.float16, torch.bfloat16)


class CudaKernels(TorchFunctionMode):
    """Within, these functions are what they are on CUDA.

    As a mode, whatever name they are called by; but torch switches modes off for its backward pass, in which
    checkpoints run forward again. There they are found in `torch.nn.functional`, where components call them.
    """

    def __enter__(self) -> CudaKernels:
        for function, replacement in _REPLACED.items():
            setattr(functional, function.__name__, replacement)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for function in _REPLACED:
            setattr(functional, function.__name__, function)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _REPLACED.get(func, func)(*args, **(kwargs or {}))


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    if attn_mask is None and query.dtype in _HALF:
        flash = aten._scaled_dot_product_flash_attention
        return flash(query, key, value, dropout_p, is_causal, False, scale=scale)[0]
    if query.shape[1] != key.shape[1]:  # no other kernel shares keys among heads
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.zeros(attn_mask.shape, dtype=query.dtype).masked_fill(~attn_mask, -torch.inf)
    if attn_mask is not None:
        attn_mask = attn_mask.expand(query.shape[0], query.shape[1], query.shape[2], key.shape[2])
    needs_grad = query.requires_grad or key.requires_grad or value.requires_grad
    efficient = aten._scaled_dot_product_efficient_attention
    return efficient(query, key, value, attn_mask, needs_grad, dropout_p, is_causal, scale=scale)[0]


class _FusedRMSNorm(torch.autograd.Function):
    """Shapes alone: torch's own operation is composed of others wherever it is not on CUDA."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, num_dims: int, weight: Tensor | None) -> Tensor:
        rows = x.shape[: x.dim() - num_dims]
        ctx.save_for_backward(x, weight, x.new_empty(rows, dtype=torch.promote_types(x.dtype, torch.float32)))
        return torch.empty_like(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, weight, _ = ctx.saved_tensors
        return torch.empty_like(x), None, None if weight is None else torch.empty_like(weight)


def _rms_norm(x: Tensor, normalized_shape: list[int], weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    return _FusedRMSNorm.apply(x, len(normalized_shape), weight)


def _dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    return torch.native_dropout(x, p, training)[0] if training and p > 0 else x


_REPLACED: dict[Any, Any] = {
    functional.scaled_dot_product_attention: _attention,
    functional.rms_norm: _rms_norm,
    functional.dropout: _dropout,
}
