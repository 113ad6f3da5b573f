"""Mixes tokens: each position reads from those before it, and never ahead.

`Attention` is the contract. `HeadAttention` is a template that one opts into: it projects, turns, caches and describes
the mask; a variant writes `mix`.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import torch
from einops import rearrange
from torch import Tensor, nn

from zoo.attention._kv_cache import KVCache
from zoo.component import Component, Context, Cost, Stage, factory_class, linear_roles, linear_stage, trains
from zoo.positions.base import Position, PositionFactory, RotaryPosition, ScorePosition


class LayerCache(Protocol):
    """What one layer remembers of the tokens it has seen."""

    def num_bytes(self) -> int:
        """Bytes of the tensors held."""


@dataclass
class Cache:
    """What a model remembers of the tokens it has seen, one entry per layer; `length` counts them."""

    layers: list[Any] = field(default_factory=list)
    length: int = 0


class Attention(Component):
    """Extend this, or `HeadAttention`."""

    accepts: ClassVar[tuple[type[Position], ...]] = ()  # kinds of position this attention can apply by itself

    @abstractmethod
    def forward(self, x_BTD: Tensor, ctx: Context) -> Tensor:
        """x_BTD -> x_BTD. With `ctx.cache`, x holds the new tokens only; they enter the cache."""

    @abstractmethod
    def new_cache(
        self, batch_size: int, max_len: int, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> LayerCache:
        """An empty cache for up to `max_len` tokens."""

    @abstractmethod
    def cache_bytes(self, batch_size: int, max_len: int, dtype: torch.dtype = torch.float32) -> int:
        """Bytes of `new_cache(batch_size, max_len)`."""


class AttentionFactory(Protocol):
    """Builds one layer's attention. `position` is a factory, or None where the decoder adds positions to its input."""

    def __call__(self, *, d_model: int, position: PositionFactory | None, layer: int) -> Attention: ...


@dataclass(frozen=True)
class Mask:
    """Which keys a query may read, described rather than stored, so that a fast kernel can recognise it.

    Attributes:
        query_positions_BT, key_positions_BS: absolute positions; -1 marks an empty slot of a cache.
        window: a query reads the last `window` positions, itself included; None: all before it.
        query_documents_BT, key_documents_BS: reading stays within one document; None: one document.
        bias: adds to the scores.
        aligned: queries and keys are the same tokens in the same order, so that causal means a lower triangle.
    """

    query_positions_BT: Tensor
    key_positions_BS: Tensor
    window: int | None = None
    query_documents_BT: Tensor | None = None
    key_documents_BS: Tensor | None = None
    bias: ScorePosition | None = None
    aligned: bool = False

    @property
    def plain_causal(self) -> bool:
        """True where the mask is a lower triangle and nothing else: what SDPA calls `is_causal`."""
        within = self.window is None or self.window >= self.key_positions_BS.shape[1]
        return self.aligned and within and self.query_documents_BT is None and self.bias is None

    def keep(self) -> Tensor:
        """True where a query may read a key: keep_B1TS (to broadcast over heads)."""
        query_BT1, key_B1S = self.query_positions_BT[:, :, None], self.key_positions_BS[:, None, :]
        keep_BTS = (key_B1S <= query_BT1) & (key_B1S >= 0)
        if self.window is not None:
            keep_BTS = keep_BTS & (key_B1S > query_BT1 - self.window)
        if self.query_documents_BT is not None:
            assert self.key_documents_BS is not None
            keep_BTS = keep_BTS & (self.query_documents_BT[:, :, None] == self.key_documents_BS[:, None, :])
        return keep_BTS[:, None]

    def additive(self, dtype: torch.dtype) -> Tensor:
        """What is added to the scores: the bias where a key may be read, -inf elsewhere: mask_BHTS (H may be 1)."""
        keep_B1TS = self.keep()
        blocked = torch.zeros(keep_B1TS.shape, dtype=dtype, device=keep_B1TS.device).masked_fill(~keep_B1TS, -torch.inf)
        if self.bias is None:
            return blocked
        return blocked + self.bias(self.query_positions_BT, self.key_positions_BS).to(dtype)


class HeadAttention(Attention):
    """Template of softmax-like attention over heads: projections, positions, cache and mask done once.

    Args:
        d_model: width of the stream.
        position: factory of a rotary or score position, or None.
        layer: index of the layer, from 0.
        num_heads: query heads.
        num_kv_heads: key/value heads, each read by num_heads / num_kv_heads query heads; None: as many as query heads.
        window: tokens a query reads, itself included; None: all before it.
        bias: whether the four projections add a bias.
    """

    accepts = (RotaryPosition, ScorePosition)

    def __init__(
        self,
        *,
        d_model: int,
        position: PositionFactory | None,
        layer: int,
        num_heads: int,
        num_kv_heads: int | None,
        window: int | None,
        bias: bool,
    ):
        super().__init__()
        num_kv_heads = num_heads if num_kv_heads is None else num_kv_heads
        if num_heads < 1 or d_model % num_heads:
            raise ValueError(f"num_heads={num_heads} must divide d_model={d_model}")
        if num_kv_heads < 1 or num_heads % num_kv_heads:
            raise ValueError(f"num_kv_heads={num_kv_heads} must divide num_heads={num_heads}")
        if window is not None and window < 1:
            raise ValueError(f"window={window} must be at least 1: a token reads itself")
        self.layer, self.window = layer, window
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, d_model // num_heads
        self.q = nn.Linear(d_model, num_heads * self.head_dim, bias=bias)
        self.k = nn.Linear(d_model, num_kv_heads * self.head_dim, bias=bias)
        self.v = nn.Linear(d_model, num_kv_heads * self.head_dim, bias=bias)
        self.out = nn.Linear(num_heads * self.head_dim, d_model, bias=bias)
        if position is not None and not issubclass(kind := factory_class(position), self.accepts):
            names = " or ".join(accepted.__name__ for accepted in self.accepts)
            raise ValueError(f"{type(self).__name__} takes a {names}, not {kind.__name__}")
        self.position = None if position is None else position(num_heads=num_heads, head_dim=self.head_dim)
        self.roles = linear_roles("matrix", q=self.q, k=self.k, v=self.v) | linear_roles("residual_out", out=self.out)

    @abstractmethod
    def mix(self, q_BHTE: Tensor, k_BKSE: Tensor, v_BKSE: Tensor, mask: Mask) -> Tensor:
        """What each query reads: -> y_BHTE. A query that may read nothing gets zeros."""

    def forward(self, x_BTD: Tensor, ctx: Context) -> Tensor:
        q_BHTE = rearrange(self.q(x_BTD), "b t (h e) -> b h t e", e=self.head_dim)
        k_BKTE = rearrange(self.k(x_BTD), "b t (k e) -> b k t e", e=self.head_dim)
        v_BKTE = rearrange(self.v(x_BTD), "b t (k e) -> b k t e", e=self.head_dim)
        if isinstance(self.position, RotaryPosition):
            q_BHTE, k_BKTE = self.position(q_BHTE, ctx.positions_BT), self.position(k_BKTE, ctx.positions_BT)
        key_positions_BS, key_documents_BS = ctx.positions_BT, ctx.documents_BT
        if ctx.cache is not None:
            cached = ctx.cache.layers[self.layer].append(k_BKTE, v_BKTE, ctx.positions_BT, ctx.documents_BT)
            k_BKTE, v_BKTE, key_positions_BS, key_documents_BS = cached
        mask = Mask(
            query_positions_BT=ctx.positions_BT,
            key_positions_BS=key_positions_BS,
            window=self.window,
            query_documents_BT=ctx.documents_BT,
            key_documents_BS=key_documents_BS if ctx.documents_BT is not None else None,
            bias=self.position if isinstance(self.position, ScorePosition) else None,
            aligned=ctx.cache is None or ctx.cache.length == 0,
        )
        y_BHTE = self.mix(q_BHTE, k_BKTE.to(q_BHTE.dtype), v_BKTE.to(q_BHTE.dtype), mask)
        return self.out(rearrange(y_BHTE, "b h t e -> b t (h e)"))

    def stages(self, seq_len: int, past_len: int = 0) -> list[Stage]:
        widths = {"num_heads": self.num_heads, "key_width": self.head_dim, "value_width": self.head_dim}
        mixing = mixing_cost(seq_len, past_len, window=self.window, **widths)
        reading = linear_stage(seq_len, self.q, self.k, self.v)
        return [reading, Stage(mixing, self._position_trains()), linear_stage(seq_len, self.out)]

    def _position_trains(self) -> bool:
        return self.position is not None and trains(self.position)

    def _capacity(self, max_len: int) -> int:
        """Slots a cache needs: a window of w reads w - 1 tokens before the new one."""
        return max_len if self.window is None else min(max_len, self.window - 1)

    def new_cache(
        self, batch_size: int, max_len: int, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> KVCache:
        capacity = self._capacity(max_len)
        rolling = self.window is not None and capacity == self.window - 1
        shape = (batch_size, capacity, self.num_kv_heads, self.head_dim)
        return KVCache(*shape, rolling=rolling, device=device, dtype=dtype)

    def cache_bytes(self, batch_size: int, max_len: int, dtype: torch.dtype = torch.float32) -> int:
        return KVCache.bytes_for(batch_size, self._capacity(max_len), self.num_kv_heads, self.head_dim, dtype)


def causal_pairs(seq_len: int, past_len: int = 0, window: int | None = None) -> int:
    """Query-key pairs that a causal mask keeps: query t of `seq_len` reads the `past_len` tokens before and itself,
    at most `window` in all. Without a past: w(w+1)/2 + (T-w)w."""
    longest = past_len + seq_len
    if window is None or window >= longest:
        return seq_len * past_len + seq_len * (seq_len + 1) // 2
    growing = max(0, window - past_len)  # queries that do not fill the window yet
    growing = min(growing, seq_len)
    return growing * past_len + growing * (growing + 1) // 2 + (seq_len - growing) * window


def mixing_cost(
    seq_len: int, past_len: int = 0, *, window: int | None = None, num_heads: int, key_width: int, value_width: int
) -> Cost:
    """Cost of scores and weighted values over heads: of a pair, one score and one value.

    Args:
        seq_len: queries, each of which reads the `past_len` tokens before them, too.
        window: as for `causal_pairs`.
        num_heads: query heads.
        key_width, value_width: of a head.
    """
    pair_flops = 2 * num_heads * (key_width + value_width)
    readable_past = past_len if window is None else min(past_len, window - 1)
    return Cost(
        attention=pair_flops * causal_pairs(seq_len, past_len, window),
        attention_dense=pair_flops * seq_len * (readable_past + seq_len),
    )


def sdpa(q_BHTE: Tensor, k_BKSE: Tensor, v_BKSE: Tensor, mask: Mask) -> Tensor:
    """Softmax attention through `torch.nn.functional.scaled_dot_product_attention`, which picks the kernel.

    A plain causal mask is passed as `is_causal`: that is what the fast kernels know. The flag means the top left
    corner, which is right only where queries and keys are the same tokens.
    """
    attend = torch.nn.functional.scaled_dot_product_attention
    shared_heads = q_BHTE.shape[1] != k_BKSE.shape[1]
    if mask.plain_causal:
        return attend(q_BHTE, k_BKSE, v_BKSE, is_causal=True, enable_gqa=shared_heads)
    allowed = mask.keep() if mask.bias is None else mask.additive(q_BHTE.dtype)
    return attend(q_BHTE, k_BKSE, v_BKSE, attn_mask=allowed, enable_gqa=shared_heads)
