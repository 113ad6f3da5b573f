"""What torch's own counter sees of a run, with the products that it misses or counts wrong set right; and a spy that
names every operation that may multiply matrices and that nobody counts.

torch 2.13's `FlopCounterMode` counts nothing for the CPU's fused attention and for grouped products, and the backward
pass of a convolution by its dense shape whatever its groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

Shape = Sequence[int]
aten = torch.ops.aten


def count_flops(run: Callable[[], object], *, fused_attention: bool = False) -> int:
    """FLOPs that torch's counter sees while `run` runs: run it on the meta device, where they cost nothing.

    Args:
        run: forward, or forward and backward.
        fused_attention: let torch choose the attention kernel, whose backward pass makes the scores again; else the
            plain one, which multiplies what the mathematics asks for.
    """
    from torch.utils.flop_counter import FlopCounterMode  # here, as it imports triton, and a planner counts nothing

    kernels = [] if fused_attention else [SDPBackend.MATH]
    with FlopCounterMode(display=False, custom_mapping=_formulas()) as counter:
        if kernels:
            with sdpa_kernel(kernels):
                run()
        else:
            run()
    return counter.get_total_flops()


def _formulas() -> dict[Any, Callable[..., int]]:
    found: dict[Any, Callable[..., int]] = {
        aten._scaled_dot_product_flash_attention_for_cpu: _attention,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
        aten.convolution_backward: _convolution_backward,
    }
    if hasattr(aten, "_grouped_mm"):
        found[aten._grouped_mm] = _grouped_product
    return found


def _attention(query: Shape, key: Shape, value: Shape, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    """Scores and weighted values over all pairs. Shapes [B, H, T, E], [B, K, S, E], [B, K, S, Ev]."""
    pairs = math.prod(query[:-1]) * key[-2]
    return 2 * pairs * (query[-1] + value[-1])


def _attention_backward(
    grad: Shape, query: Shape, key: Shape, value: Shape, *args: Any, out_shape: Any = None, **kwargs: Any
) -> int:
    """The scores again, and the gradients of the four operands of two products."""
    pairs = math.prod(query[:-1]) * key[-2]
    return 2 * pairs * (query[-1] + 2 * (query[-1] + value[-1]))


def _grouped_product(a: Shape, b: Shape, *args: Any, out_shape: Shape, **kwargs: Any) -> int:
    """Every row of the output sums over the columns of `a`; of two flat operands, [M, K] x [K, N] in groups of K."""
    if len(a) == len(b) == 2:
        return 2 * a[0] * a[1] * b[1]
    return 2 * math.prod(out_shape) * a[-1]


def _convolution_backward(
    grad_out: Shape,
    x: Shape,
    weight: Shape,
    _bias: Any,
    _stride: Any,
    _padding: Any,
    _dilation: Any,
    transposed: bool,
    _output_padding: Any,
    _groups: int,
    mask: Sequence[bool],
    out_shape: Any = None,
) -> int:
    """The forward once for the gradient of the input and once for that of the weight, as far as they are asked for.
    The weight's second dimension is already that of a group."""
    places = x if transposed else grad_out
    forward = 2 * places[0] * math.prod(places[2:]) * math.prod(weight)
    return forward * (int(mask[0]) + int(mask[1]))


# Several operands, and no product of matrices: norms and softmax, which are left out by convention, and moving things.
_NO_PRODUCTS = {
    getattr(aten, name)
    for name in (
        "_fused_rms_norm",
        "_fused_rms_norm_backward",
        "_log_softmax_backward_data",
        "_softmax_backward_data",
        "cat",
        "copy_",
        "stack",
        "embedding_dense_backward",
        "index",
        "index_put",
        "index_put_",
        "index_select",
        "masked_fill",
        "masked_scatter",
        "native_layer_norm",
        "native_layer_norm_backward",
        "native_group_norm",
        "native_group_norm_backward",
        "native_dropout",
        "native_dropout_backward",
        "nll_loss_forward",
        "nll_loss_backward",
        "scatter",
        "scatter_",
        "scatter_add",
        "slice_backward",
        "select_backward",
        "slice_scatter",
        "select_scatter",
        "threshold_backward",
        "where",
    )
    if hasattr(aten, name)
}


class Spy(TorchDispatchMode):
    """Names the operations with two floating-point operands or more that the counter does not know and that are not
    elementwise, or known to multiply no matrices: `unseen`."""

    def __init__(self) -> None:
        from torch.utils.flop_counter import flop_registry

        super().__init__()
        self._counted = {*flop_registry, *_formulas()}
        self.unseen: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet = func.overloadpacket
        if packet not in self._counted and torch.Tag.pointwise not in func.tags and packet not in _NO_PRODUCTS:
            operands = [a for a in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(a, torch.Tensor)]
            if sum(a.is_floating_point() and a.dim() > 0 for a in operands) > 1:
                self.unseen.add(str(packet))
        return func(*args, **(kwargs or {}))
