"""Full attention against a loop over heads, queries and keys; head sharing; FLOPs of drawn shapes; errors."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.small import Slopes, context, fill
from zoo.accounting.counter import count_flops
from zoo.attention import FullAttention
from zoo.attention.base import Cache, causal_pairs
from zoo.component import Cost
from zoo.positions import RotaryEmbedding


def naive(attention: FullAttention, x_TD: Tensor) -> Tensor:
    """One sequence, head by head and query by query, in fp64, without positions."""
    head_dim, heads, kv_heads = attention.head_dim, attention.num_heads, attention.num_kv_heads

    def project(linear: torch.nn.Linear) -> Tensor:
        y = x_TD.double() @ linear.weight.double().T
        return y if linear.bias is None else y + linear.bias.double()

    q, k, v = (project(linear) for linear in (attention.q, attention.k, attention.v))
    joined = torch.zeros(len(x_TD), heads * head_dim, dtype=torch.float64)
    for h in range(heads):
        own, shared = slice(h * head_dim, (h + 1) * head_dim), h * kv_heads // heads
        read = slice(shared * head_dim, (shared + 1) * head_dim)
        for t in range(len(x_TD)):
            weights = [math.exp(float(q[t, own] @ k[s, read]) / math.sqrt(head_dim)) for s in range(t + 1)]
            for s in range(t + 1):
                joined[t, own] += weights[s] / sum(weights) * v[s, read]
    y = joined @ attention.out.weight.double().T
    return y if attention.out.bias is None else y + attention.out.bias.double()


@torch.no_grad()
@pytest.mark.parametrize("num_kv_heads", [None, 1, 2, 3, 6])
@pytest.mark.parametrize("bias", [False, True])
def test_equals_the_naive_loop(num_kv_heads: int | None, bias: bool) -> None:
    attention = FullAttention(d_model=24, position=None, layer=0, num_heads=6, num_kv_heads=num_kv_heads, bias=bias)
    fill(attention)
    x_BTD = torch.randn(2, 9, 24, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([naive(attention, x_TD) for x_TD in x_BTD])
    torch.testing.assert_close(attention(x_BTD, context(2, 9)).double(), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_score_position_is_added_before_softmax() -> None:
    """With all queries and keys 0, what is read is the values weighted by softmax of the bias alone."""
    attention = FullAttention(d_model=8, position=Slopes, layer=0, num_heads=2)
    fill(attention)
    attention.q.weight.zero_()
    x_BTD = torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(0))
    v_TF = x_BTD[0] @ attention.v.weight.T
    read = torch.zeros(6, 8)
    for h, slope in enumerate((0.5, 0.25)):
        for t in range(6):
            weights = torch.tensor([math.exp(-slope * (t - s)) for s in range(t + 1)])
            read[t, 4 * h : 4 * h + 4] = (weights / weights.sum()) @ v_TF[: t + 1, 4 * h : 4 * h + 4]
    torch.testing.assert_close(attention(x_BTD, context(1, 6))[0], read @ attention.out.weight.T)


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, int]:
    num_kv_heads = draw(st.integers(1, 4))
    num_heads = num_kv_heads * draw(st.integers(1, 4))
    return {
        "num_kv_heads": num_kv_heads,
        "num_heads": num_heads,
        "d_model": num_heads * draw(st.integers(1, 9)),
        "seq_len": draw(st.integers(1, 131)),
        "batch_size": draw(st.integers(1, 3)),
    }


@settings(max_examples=25, deadline=None)
@given(shape=shapes(), bias=st.booleans())
def test_flops_of_drawn_shapes_are_the_counters(shape: dict[str, int], bias: bool) -> None:
    seq_len, batch_size, d_model = shape.pop("seq_len"), shape.pop("batch_size"), shape["d_model"]
    with torch.device("meta"):
        attention = FullAttention(position=None, layer=0, bias=bias, **shape)
        x_BTD, ctx = torch.empty(batch_size, seq_len, d_model, requires_grad=True), context(batch_size, seq_len)
        forward = count_flops(lambda: attention(x_BTD, ctx))
        both = count_flops(lambda: attention(x_BTD, ctx).sum().backward())
    assert forward == batch_size * attention.cost(seq_len).palm
    assert both == 3 * forward


def test_cost_is_the_sum_of_its_pairs() -> None:
    attention = FullAttention(d_model=24, position=None, layer=0, num_heads=6, num_kv_heads=2)
    weights = 24 * 24 + 2 * 24 * 8 + 24 * 24
    assert attention.cost(10, 5) == Cost(
        matmul=2 * 10 * weights,
        attention=sum(4 * 24 for t in range(10) for s in range(15) if s <= 5 + t),
        attention_dense=4 * 24 * 10 * 15,
        weight_grad=2 * 10 * weights,
    )


@given(seq_len=st.integers(0, 40), past_len=st.integers(0, 40), window=st.one_of(st.none(), st.integers(1, 50)))
def test_causal_pairs_by_brute_force(seq_len: int, past_len: int, window: int | None) -> None:
    queries = range(past_len, past_len + seq_len)
    expected = sum(1 for i in queries for j in range(i + 1) if window is None or j > i - window)
    assert causal_pairs(seq_len, past_len, window) == expected


@torch.no_grad()
def test_a_cache_that_is_full_says_so() -> None:
    attention = FullAttention(d_model=8, position=RotaryEmbedding, layer=0, num_heads=2)
    fill(attention)
    cache = Cache([attention.new_cache(1, 4)])
    attention(torch.zeros(1, 3, 8), context(1, 3, cache=cache))
    with pytest.raises(ValueError, match=r"the cache was made for max_len=4 tokens, and these make 5"):
        attention(torch.zeros(1, 2, 8), context(1, 2, start=3, cache=cache))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 5}, r"num_heads=5 must divide d_model=24"),
        ({"num_heads": 0}, r"num_heads=0 must divide d_model=24"),
        ({"num_heads": 4, "num_kv_heads": 3}, r"num_kv_heads=3 must divide num_heads=4"),
        ({"num_heads": 4, "num_kv_heads": 0}, r"num_kv_heads=0 must divide num_heads=4"),
    ],
)
def test_refused_values(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FullAttention(d_model=24, position=None, layer=0, **arguments)
