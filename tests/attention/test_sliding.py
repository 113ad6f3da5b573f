"""Sliding window against an explicit mask; what the window reaches; its cache; FLOPs of drawn shapes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.small import Slopes, context, fill
from zoo.accounting.counter import count_flops
from zoo.attention import FullAttention, SlidingWindowAttention
from zoo.attention.base import Cache, causal_pairs
from zoo.positions import RotaryEmbedding


def make(window: int, position: type | None = None, num_kv_heads: int = 2) -> SlidingWindowAttention:
    attention = SlidingWindowAttention(
        d_model=16, position=position, layer=0, num_heads=4, num_kv_heads=num_kv_heads, window=window
    )
    fill(attention)
    return attention


def naive(attention: SlidingWindowAttention, x_BTD: Tensor) -> Tensor:
    """Dense scores in fp64, keys outside i - window + 1 … i struck out one by one."""
    num_tokens, window = x_BTD.shape[1], attention.window
    split = (*x_BTD.shape[:2], -1, attention.head_dim)
    q, k, v = ((x_BTD.double() @ m.weight.double().T).view(split) for m in (attention.q, attention.k, attention.v))
    repeats = attention.num_heads // attention.num_kv_heads
    k, v = k.repeat_interleave(repeats, dim=2), v.repeat_interleave(repeats, dim=2)
    scores = torch.einsum("bthe,bshe->bhts", q, k) / math.sqrt(attention.head_dim)
    for i in range(num_tokens):
        for j in range(num_tokens):
            if not i - window + 1 <= j <= i:
                scores[:, :, i, j] = -math.inf
    y = torch.einsum("bhts,bshe->bthe", scores.softmax(-1), v).flatten(2)
    return y @ attention.out.weight.double().T


@torch.no_grad()
@pytest.mark.parametrize("window", [1, 2, 5, 13, 14, 100])
def test_equals_the_explicit_mask(window: int) -> None:
    attention = make(window)
    x_BTD = torch.randn(2, 13, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(attention(x_BTD, context(2, 13)).double(), naive(attention, x_BTD), rtol=1e-4, atol=1e-5)


def test_window_counts_the_token_itself() -> None:
    attention, x_BTD = make(3), torch.randn(1, 9, 16, requires_grad=True)
    (gradient_BTD,) = torch.autograd.grad(attention(x_BTD, context(1, 9))[0, 7].sum(), x_BTD)
    assert (gradient_BTD[0].abs().sum(-1) > 0).nonzero().flatten().tolist() == [5, 6, 7]


@torch.no_grad()
def test_a_window_over_everything_is_full_attention() -> None:
    sliding = make(20, RotaryEmbedding)
    full = FullAttention(d_model=16, position=RotaryEmbedding, layer=0, num_heads=4, num_kv_heads=2)
    full.load_state_dict(sliding.state_dict())
    x_BTD = torch.randn(2, 20, 16)
    assert torch.equal(sliding(x_BTD, context(2, 20)), full(x_BTD, context(2, 20)))


@torch.no_grad()
@pytest.mark.parametrize("position", [None, RotaryEmbedding, Slopes])
@pytest.mark.parametrize(
    ("window", "chunks"), [(1, [4, 1, 4]), (4, [7, 1, 1]), (4, [1] * 9), (4, [2, 1, 1, 5]), (5, [3, 6]), (30, [5, 4])]
)
def test_cached_is_full_around_the_window(position: type | None, window: int, chunks: list[int]) -> None:
    """A prefill longer and shorter than the window, a window of one token (its cache is empty)."""
    attention = make(window, position)
    x_BTD = torch.randn(2, 9, 16, generator=torch.Generator().manual_seed(0))
    cache, pieces = Cache([attention.new_cache(2, 9)]), []
    for piece_BTD in x_BTD.split(chunks, dim=1):
        pieces.append(attention(piece_BTD, context(2, piece_BTD.shape[1], start=cache.length, cache=cache)))
        cache.length += piece_BTD.shape[1]
    torch.testing.assert_close(torch.cat(pieces, 1), attention(x_BTD, context(2, 9)), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_cache_holds_what_the_window_reads_and_rolls_on() -> None:
    attention = make(4)
    assert attention.cache_bytes(1, 1000) == attention.cache_bytes(1, 3) < attention.cache_bytes(1, 1000, torch.float64)
    cache = Cache([attention.new_cache(1, 1000)])
    attention(torch.zeros(1, 2000, 16), context(1, 2000, cache=cache))
    assert cache.layers[0].positions_BS.tolist() == [[1997, 1998, 1999]]


@torch.no_grad()
def test_a_cache_shorter_than_the_window_does_not_narrow_it_unseen() -> None:
    attention = make(10)
    cache = Cache([attention.new_cache(1, 5)])
    with pytest.raises(ValueError, match=r"the cache was made for max_len=5 tokens, and these make 6"):
        attention(torch.zeros(1, 6, 16), context(1, 6, cache=cache))


@settings(max_examples=25, deadline=None)
@given(seq_len=st.integers(1, 131), window=st.integers(1, 140), kv_heads=st.sampled_from([1, 2, 4]))
def test_flops_of_drawn_shapes_are_the_counters(seq_len: int, window: int, kv_heads: int) -> None:
    with torch.device("meta"):
        attention = make(window, num_kv_heads=kv_heads)
        x_BTD, ctx = torch.empty(1, seq_len, 16, requires_grad=True), context(1, seq_len)
        forward = count_flops(lambda: attention(x_BTD, ctx))
        both = count_flops(lambda: attention(x_BTD, ctx).sum().backward())
    cost = attention.cost(seq_len)
    assert forward == cost.palm and both == 3 * forward
    read = sum(min(window, t + 1) for t in range(seq_len))
    assert cost.attention == 4 * 16 * read


def test_published_pairs() -> None:
    assert causal_pairs(4096) == 8_390_656
    assert causal_pairs(4096, window=1024) == 3_670_528
    assert causal_pairs(8, window=3) == 21


@pytest.mark.parametrize("window", [0, -1])
def test_an_empty_window_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match=rf"window={window} must be at least 1: a token reads itself"):
        make(window)
