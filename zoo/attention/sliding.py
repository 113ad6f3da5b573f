"""Causal softmax attention over the last `window` tokens only.

Source: Beltagy, Peters & Cohan 2020, "Longformer", arXiv 2004.05150; as used by Jiang et al. 2023, "Mistral 7B",
arXiv 2310.06825.
Equation: y_i = softmax(q_i kᵀ / √head_dim) v over the keys i - window + 1 … i, itself included.
"""

from __future__ import annotations

from torch import Tensor

from zoo.attention.base import HeadAttention, Mask, sdpa
from zoo.positions.base import PositionFactory


class SlidingWindowAttention(HeadAttention):
    """Reads the last `window` tokens, itself included. L layers reach back L (window - 1) tokens.

    Args:
        d_model: width of the stream.
        position: factory of a rotary or score position, or None.
        layer: index of the layer, from 0.
        num_heads: query heads; head_dim is d_model / num_heads.
        num_kv_heads: key/value heads; None: as many as query heads (multi-head), 1: multi-query.
        window: tokens, itself included; the cache holds window - 1.
        bias: whether the four projections add a bias.

    Raises:
        ValueError: a number of heads does not divide what it must, or the window is empty.
    """

    cost_note = (
        "SlidingWindowAttention: exact FLOPs count the pairs within the window; "
        "its dense kernel (and the PaLM convention) multiplies all pairs"
    )

    def __init__(
        self,
        *,
        d_model: int,
        position: PositionFactory | None,
        layer: int,
        num_heads: int = 4,
        num_kv_heads: int | None = None,
        window: int = 64,
        bias: bool = False,
    ):
        super().__init__(
            d_model=d_model,
            position=position,
            layer=layer,
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            window=window,
            bias=bias,
        )

    def mix(self, q_BHTE: Tensor, k_BKSE: Tensor, v_BKSE: Tensor, mask: Mask) -> Tensor:
        return sdpa(q_BHTE, k_BKSE, v_BKSE, mask)
