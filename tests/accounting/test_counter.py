"""The corrected counter and the spy: what torch's own counter misses is counted, and what nobody counts is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.small import EXCHANGES, build_decoder, exchange_id
from zoo.accounting.counter import Spy, count_flops


def both_ways(run: Callable[[], Tensor]) -> tuple[int, int]:
    return count_flops(run, fused_attention=True), count_flops(lambda: run().sum().backward(), fused_attention=True)


def test_the_plain_kernel_is_chosen_so_that_attention_is_seen() -> None:
    q = torch.randn(1, 2, 8, 4)
    attend = functional.scaled_dot_product_attention
    assert count_flops(lambda: attend(q, q, q, is_causal=True)) == 2 * 2 * 2 * 8 * 8 * 4


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (6, 1)])
def test_the_fused_kernel_of_the_cpu_is_counted(heads: int, kv_heads: int) -> None:
    """3.5 times the forward: its backward makes the scores again."""
    q = torch.randn(2, heads, 9, 8, requires_grad=True)
    k = torch.randn(2, kv_heads, 9, 8, requires_grad=True)
    v = torch.randn(2, kv_heads, 9, 8, requires_grad=True)
    forward, both = both_ways(
        lambda: functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=heads != kv_heads)
    )
    assert forward == 2 * 2 * heads * 9 * 9 * (8 + 8)
    assert both == 3.5 * forward


@pytest.mark.parametrize("groups", [1, 2, 8])
@pytest.mark.parametrize("of_input", [False, True])
def test_convolutions_count_their_groups_in_both_passes(groups: int, of_input: bool) -> None:
    """torch's own count of the backward pass of a depthwise convolution is too high by the number of channels."""
    convolution = nn.Conv1d(8, 16, 3, groups=groups, bias=False)
    x = torch.randn(2, 8, 20, requires_grad=of_input)
    forward, both = both_ways(lambda: convolution(x))
    assert forward == 2 * 2 * 16 * 18 * 3 * (8 // groups)
    assert both == (3 if of_input else 2) * forward


def test_transposed_convolutions_count_their_inputs() -> None:
    convolution = nn.ConvTranspose1d(8, 16, 3, groups=2, bias=False)
    x = torch.randn(2, 8, 20, requires_grad=True)
    forward, both = both_ways(lambda: convolution(x))
    assert (forward, both) == (2 * 2 * 8 * 20 * 3 * 8, 3 * forward)


@pytest.mark.skipif(not hasattr(torch, "_grouped_mm"), reason="this torch has no grouped product")
@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((32, 16), (4, 16, 24), 2 * 32 * 16 * 24),  # rows in groups, a matrix each: experts
        ((4, 8, 16), (16, 32), 2 * 8 * 16 * 32),  # columns in groups
        ((8, 32), (32, 24), 2 * 8 * 32 * 24),  # sums in groups: the gradient of the first
        ((4, 8, 16), (4, 16, 24), 4 * 2 * 8 * 16 * 24),  # a batch
    ],
)
def test_grouped_products_are_counted(a: tuple[int, ...], b: tuple[int, ...], expected: int) -> None:
    first = torch.empty(a, dtype=torch.bfloat16, device="meta")
    second = torch.empty(b, dtype=torch.bfloat16, device="meta")
    ends = torch.empty(4, dtype=torch.int32, device="meta") if len(a) != 3 or len(b) != 3 else None
    assert count_flops(lambda: torch._grouped_mm(first, second, offs=ends)) == expected


@pytest.mark.parametrize("exchange", EXCHANGES, ids=exchange_id)
def test_no_component_multiplies_unseen(exchange: tuple[str, type]) -> None:
    slot, part = exchange
    with torch.device("meta"):
        model = build_decoder(**{slot: part})
        ids_BT = torch.zeros(1, 19, dtype=torch.long)
        with Spy() as spy:
            model.loss(ids_BT, ids_BT).nats_sum.backward()
    assert spy.unseen == set()


@torch.library.custom_op("zoo_tests::hidden_product", mutates_args=())
def hidden_product(a: Tensor, b: Tensor) -> Tensor:
    return a @ b


@hidden_product.register_fake
def _(a: Tensor, b: Tensor) -> Tensor:
    return a.new_empty(a.shape[0], b.shape[1])


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (lambda a: torch.mv(a, a[0]), "aten.mv"),
        (lambda a: torch.dot(a[0], a[0]), "aten.dot"),
        (lambda a: hidden_product(a, a), "zoo_tests.hidden_product"),
    ],
)
def test_the_spy_names_what_nobody_counts(run: Callable[[Tensor], Tensor], name: str) -> None:
    a = torch.empty(3, 3, device="meta")
    assert count_flops(lambda: run(a)) == 0
    with Spy() as spy:
        run(a)
    assert spy.unseen == {name}


def test_the_spy_passes_what_is_counted_or_elementwise() -> None:
    a = torch.empty(3, 3, device="meta")
    with Spy() as spy:
        functional.softmax(a @ a + a * a, dim=-1)
        torch.cat([a, a])
    assert spy.unseen == set()
