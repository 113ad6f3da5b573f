"""Causal softmax attention over all tokens before: multi-head, grouped-query or multi-query by `num_kv_heads`.

Source: Vaswani et al. 2017, arXiv 1706.03762 (multi-head); Shazeer 2019, arXiv 1911.02150 (multi-query: one key/value
head); Ainslie et al. 2023, arXiv 2305.13245 (grouped-query: query head h reads key/value head h // (H / K)).
Equation: y = softmax(q kᵀ / √head_dim + causal mask) v, per head; the heads, joined, pass through an output matrix.
"""

from __future__ import annotations

from torch import Tensor

from zoo.attention.base import HeadAttention, Mask, sdpa
from zoo.positions.base import PositionFactory


class FullAttention(HeadAttention):
    """Reads every token before, and itself.

    Args:
        d_model: width of the stream.
        position: factory of a rotary or score position, or None.
        layer: index of the layer, from 0.
        num_heads: query heads; head_dim is d_model / num_heads.
        num_kv_heads: key/value heads; None: as many as query heads (multi-head), 1: multi-query.
        bias: whether the four projections add a bias.

    Raises:
        ValueError: a number of heads does not divide what it must.
    """

    def __init__(
        self,
        *,
        d_model: int,
        position: PositionFactory | None,
        layer: int,
        num_heads: int = 4,
        num_kv_heads: int | None = None,
        bias: bool = False,
    ):
        super().__init__(
            d_model=d_model,
            position=position,
            layer=layer,
            num_heads=num_heads,
            num_kv_heads=num_kv_heads,
            window=None,
            bias=bias,
        )

    def mix(self, q_BHTE: Tensor, k_BKSE: Tensor, v_BKSE: Tensor, mask: Mask) -> Tensor:
        return sdpa(q_BHTE, k_BKSE, v_BKSE, mask)
