"""FLOPs of a training step: equal to torch's counter for whole models, equal to published numbers, never guessed."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from einops import rearrange
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.small import EXCHANGES, VOCAB, build_decoder, exchange_id
from zoo.accounting.counter import count_flops
from zoo.accounting.devices import find_device
from zoo.accounting.estimate import SECONDS_PER_DAY, seconds_needed
from zoo.accounting.flops import forward_flops, hardware_flops, training_flops
from zoo.attention import FullAttention, SlidingWindowAttention
from zoo.attention.base import Attention, mixing_cost
from zoo.blocks import PostNorm
from zoo.component import Component, Context, Cost, Embedding, Stage, linear_cost, linear_stage, total_params
from zoo.decoder import Decoder
from zoo.families import variants
from zoo.ffns import GLU, MLP
from zoo.heads import LinearHead, TiedHead
from zoo.norms import LayerNorm, RMSNorm
from zoo.positions import NoPosition


def on_meta(**changes: Any) -> Decoder:
    with torch.device("meta"):
        return build_decoder(**changes)


def freeze(model: nn.Module, trains: str) -> None:
    """Only parameters whose name starts with one of these (comma between) train."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(tuple(trains.split(","))))


def counted(model: Decoder, seq_len: int) -> tuple[int, int]:
    """FLOPs that the counter sees of a real forward, and of a real forward and backward."""
    with torch.device("meta"):
        ids_BT = torch.zeros(1, seq_len, dtype=torch.long)
        forward = count_flops(lambda: model.loss(ids_BT, ids_BT))
        both = count_flops(lambda: model.loss(ids_BT, ids_BT).nats_sum.backward())
    return forward, both


@pytest.mark.parametrize("exchange", EXCHANGES, ids=exchange_id)
def test_whole_model_equals_the_counter(exchange: tuple[str, type]) -> None:
    slot, part = exchange
    model = on_meta(**{slot: part})
    forward, both = counted(model, 73)
    assert forward_flops(model.parts(), 73, palm=True) == model.cost(73).palm == forward
    assert training_flops(model.parts(), 73, palm=True) == both == 3 * forward


@settings(max_examples=8, deadline=None)
@given(seq_len=st.integers(1, 90), window=st.integers(1, 90), kv_heads=st.sampled_from([1, 2, 4]), tied=st.booleans())
def test_drawn_models_equal_the_counter(seq_len: int, window: int, kv_heads: int, tied: bool) -> None:
    attention = functools.partial(SlidingWindowAttention, window=window, num_kv_heads=kv_heads)
    model = on_meta(attention=attention, head=TiedHead if tied else LinearHead)
    forward, both = counted(model, seq_len)
    assert training_flops(model.parts(), seq_len, palm=True) == both == 3 * forward
    assert training_flops(model.parts(), seq_len) == 3 * model.cost(seq_len).exact


class WideValues(Attention):
    """Queries and keys of one width, values of another, each with its own number of heads."""

    accepts = ()

    def __init__(self, *, d_model: int, position: Any, layer: int, heads: int, kv_heads: int, widths: tuple[int, int]):
        super().__init__()
        self.heads, self.kv_heads, (self.key_width, self.value_width) = heads, kv_heads, widths
        self.q, self.k = nn.Linear(d_model, heads * widths[0]), nn.Linear(d_model, kv_heads * widths[0])
        self.v, self.out = nn.Linear(d_model, kv_heads * widths[1]), nn.Linear(heads * widths[1], d_model)

    def forward(self, x_BTD: Tensor, ctx: Context) -> Tensor:
        q, k = (rearrange(f(x_BTD), "b t (h e) -> b h t e", e=self.key_width) for f in (self.q, self.k))
        v = rearrange(self.v(x_BTD), "b t (h e) -> b h t e", e=self.value_width)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.out(rearrange(y, "b h t e -> b t (h e)"))

    def stages(self, seq_len: int, past_len: int = 0) -> list[Stage]:
        widths = {"num_heads": self.heads, "key_width": self.key_width, "value_width": self.value_width}
        mixing = Stage(mixing_cost(seq_len, past_len, **widths), trains=False)
        return [linear_stage(seq_len, self.q, self.k, self.v), mixing, linear_stage(seq_len, self.out)]

    def new_cache(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    def cache_bytes(self, *args: Any, **kwargs: Any) -> int:
        raise NotImplementedError


@settings(max_examples=10, deadline=None)
@given(
    seq_len=st.integers(1, 60),
    heads=st.sampled_from([2, 4, 6]),
    shared=st.sampled_from([1, 2]),
    widths=st.tuples(st.integers(1, 24), st.integers(1, 24)),
)
def test_any_widths_of_keys_and_values_equal_the_counter(
    seq_len: int, heads: int, shared: int, widths: tuple[int, int]
) -> None:
    attention = functools.partial(WideValues, heads=heads, kv_heads=heads // shared, widths=widths)
    model = on_meta(attention=attention, position=NoPosition)
    forward, both = counted(model, seq_len)
    assert model.cost(seq_len).palm == forward
    assert training_flops(model.parts(), seq_len, palm=True) == both == 3 * forward


FROZEN = {
    "embedding": "embedding",  # all weights frozen: no weight gradients, all input gradients
    "head alone": "head",
    "final norm and head": "norm,head",
    "embedding and head": "embedding,head",
    "embedding and ffns": "embedding,layers.0.ffn,layers.1.ffn",
    "final norm and the head's bias": "norm,head.unembed.bias",
    "embedding and one matrix": "embedding,layers.1.attention.k",
    "embedding and upper block": "embedding,layers.1",
    "final norm": "norm",
}


@pytest.mark.parametrize("trains", FROZEN.values(), ids=FROZEN)
@pytest.mark.parametrize("bias", [False, True])
def test_partly_frozen_models_equal_the_counter(trains: str, bias: bool) -> None:
    model = on_meta(ffn=functools.partial(GLU, bias=bias), head=functools.partial(LinearHead, bias=bias))
    freeze(model, trains)
    _, both = counted(model, 37)
    assert training_flops(model.parts(), 37, palm=True) == both < 3 * model.cost(37).palm


def test_a_tied_table_trains_at_both_ends() -> None:
    """Frozen weights but a training table: its gradient comes from the head too, and input gradients from all."""
    model = on_meta(head=TiedHead)
    freeze(model, "embedding")
    _, both = counted(model, 37)
    assert training_flops(model.parts(), 37, palm=True) == both
    freeze(model, "nothing")
    assert training_flops(model.parts(), 37) == model.cost(37).exact


def test_derived_by_hand() -> None:
    """All 6 N T + 3 A, frozen weights 4 N T + 3 A, head alone 2 N T + A + 2 N_head T."""
    model, seq_len = on_meta(), 37
    cost, head_flops = model.cost(seq_len), 2 * seq_len * 32 * VOCAB
    assert training_flops(model.parts(), seq_len) == 3 * cost.matmul + 3 * cost.attention
    freeze(model, "embedding")
    assert training_flops(model.parts(), seq_len) == 2 * cost.matmul + 3 * cost.attention
    freeze(model, "head")
    assert training_flops(model.parts(), seq_len) == cost.matmul + cost.attention + head_flops


class TwoProducts(Component):
    """A scan and two weights: what its gradients cost depends on what stands below it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def cost(self, seq_len: int, past_len: int = 0) -> Cost:
        return linear_cost(seq_len, self.first, self.second) + Cost(recurrent=10 * seq_len)


def test_recurrent_work_costs_twice_its_forward_in_the_backward() -> None:
    parts = [("embedding", Embedding(vocab_size=3, d_model=4)), ("blocks", TwoProducts())]
    assert training_flops(parts, 5) == 3 * (2 * 5 * 32) + 3 * 50


def test_what_cannot_be_derived_is_refused() -> None:
    """Training begins inside a component that says what it costs and not in what order."""
    parts = [("embedding", Embedding(vocab_size=3, d_model=4)), ("blocks", TwoProducts())]
    freeze(parts[0][1], "nothing")
    message = r"training begins inside a part of blocks \(TwoProducts\) that is more than one product.*its `stages`"
    with pytest.raises(ValueError, match=message):
        training_flops(parts, 8)


# Attention makes the gradients of its three operands in one kernel, so its projections train together or not at all.
TOGETHER = ("q", "k", "v")


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(),
    block=st.sampled_from([*variants("blocks").values()]),
    bias=st.booleans(),
    seq_len=st.integers(1, 40),
)
def test_whatever_is_frozen_equals_the_counter(data: st.DataObject, block: type, bias: bool, seq_len: int) -> None:
    """Training may begin anywhere: in the middle of a block, at a norm, a bias or an adapter."""
    attention = functools.partial(FullAttention, bias=bias)
    model = on_meta(block=block, attention=attention, ffn=functools.partial(GLU, bias=bias))
    owners = sorted({name.rpartition(".")[0] for name, _ in model.named_parameters()})
    chosen = data.draw(st.sets(st.sampled_from(owners), min_size=1))
    chosen |= {
        o[:-1] + other for o in chosen if o.endswith(tuple(f"attention.{t}" for t in TOGETHER)) for other in TOGETHER
    }
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.rpartition(".")[0] in chosen)
    assert training_flops(model.parts(), seq_len, palm=True) == counted(model, seq_len)[1]


@pytest.mark.parametrize("block", variants("blocks").values())
@pytest.mark.parametrize("trains", ["", "layers.1", "head"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_what_is_computed_twice_equals_the_counter(block: type, trains: str, checkpointing: bool) -> None:
    """On the CPU with its fused attention, which makes the scores again in its backward pass."""
    model = build_decoder(block=block)
    model.checkpointing = checkpointing
    freeze(model, trains)
    ids_BT = torch.zeros(1, 37, dtype=torch.long)
    both = count_flops(lambda: model.loss(ids_BT, ids_BT).nats_sum.backward(), fused_attention=True)
    assert hardware_flops(model.parts(), 37, palm=True, checkpointing=checkpointing) == both
    assert hardware_flops(model.parts(), 37, checkpointing=checkpointing) < both
    if not checkpointing:
        plain = hardware_flops(model.parts(), 37, palm=True, fused_attention=False)
        assert plain == training_flops(model.parts(), 37, palm=True) <= both


def test_frozen_blocks_below_a_training_part_pay_forward_alone() -> None:
    model = on_meta(block=PostNorm)
    freeze(model, "head")
    _, both = counted(model, 21)
    assert training_flops(model.parts(), 21, palm=True) == both


def test_documents_count_their_own_pairs() -> None:
    """Two documents of 20 and 17 tokens in a sequence of 37; twice in three sequences one alone."""
    parts = on_meta().parts()
    pairs = {length: sum(part.cost(length).attention for _, part in parts) for length in (17, 20, 37)}
    matmul = sum(part.cost(37).matmul for _, part in parts)
    assert training_flops(parts, 37, documents={37: 1}) == training_flops(parts, 37)
    assert forward_flops(parts, 37, documents={17: 1, 20: 1}) == matmul + pairs[17] + pairs[20]
    assert training_flops(parts, 37, documents={17: 1, 20: 1}) == 3 * (matmul + pairs[17] + pairs[20])
    mixed = training_flops(parts, 37, documents={17: 1 / 3, 20: 1 / 3, 37: 2 / 3})
    assert mixed == pytest.approx(3 * (matmul + (pairs[17] + pairs[20] + 2 * pairs[37]) / 3))
    again = hardware_flops(parts, 37, documents={17: 1, 20: 1}) - hardware_flops(parts, 37, fused_attention=False)
    assert again == 3 * (pairs[17] + pairs[20] - pairs[37]) + (pairs[17] + pairs[20]) / 2
    assert training_flops(parts, 37, palm=True, documents={17: 1, 20: 1}) == training_flops(parts, 37, palm=True)


def gpt2(num_layers: int, d_model: int, num_heads: int, ffn: Any, **changes: Any) -> Decoder:
    attention = functools.partial(FullAttention, num_heads=num_heads)
    sizes = {"vocab_size": 50257, "d_model": d_model, "num_layers": num_layers, "attention": attention}
    return on_meta(ffn=ffn, **(sizes | changes))


def test_published_gpt2_xl_shape_with_swiglu() -> None:
    """Stanford CS336, assignment 1: untied, RMSNorm gains counted, no biases, no position parameters."""
    model = gpt2(48, 1600, 25, functools.partial(GLU, d_ff=6400))
    assert total_params(model) == 2_127_057_600
    cost = model.cost(1024)
    assert cost.palm == forward_flops(model.parts(), 1024, palm=True) == 4_513_336_524_800
    assert model.cost(16384).palm == 149_522_795_724_800
    ffn = sum(block.ffn.cost(1024).palm for block in model.blocks)
    projections = sum(block.attention.cost(1024).matmul for block in model.blocks)
    shares = [projections, cost.attention_dense, ffn, model.head.cost(1024).palm]
    assert [round(100 * share / cost.palm, 2) for share in shares] == [22.3, 7.14, 66.91, 3.65]


@pytest.mark.parametrize(
    ("num_layers", "d_model", "num_heads", "forward"),
    [
        (12, 768, 12, 349_630_365_696),
        (24, 1024, 16, 1_033_109_504_000),
        (36, 1280, 20, 2_257_754_521_600),
    ],
)
def test_published_gpt2_shapes_with_swiglu(num_layers: int, d_model: int, num_heads: int, forward: int) -> None:
    """CS336, as above, of four d_model."""
    assert gpt2(num_layers, d_model, num_heads, functools.partial(GLU, d_ff=4 * d_model)).cost(1024).palm == forward


@pytest.mark.parametrize(("ffn", "days"), [(MLP, 5115), (functools.partial(GLU, d_ff=6400), 6584)])
def test_published_time_of_gpt2_xl(ffn: Any, days: int) -> None:
    """CS336: 400,000 steps of 1,024 sequences on one A100 in float32 at half its peak."""
    flops = 400_000 * 1024 * training_flops(gpt2(48, 1600, 25, ffn).parts(), 1024, palm=True)
    device = find_device("NVIDIA A100-SXM4-80GB")
    assert device is not None
    seconds = seconds_needed(flops, flops_per_second=device.dense_flops["fp32"].value, mfu=0.5)
    assert seconds / SECONDS_PER_DAY == pytest.approx(days, abs=1)


def test_published_llama_2_7b_of_128_tokens() -> None:
    """MrYxJ/calculate-flops.pytorch, README: 1,700.06 GFLOPs forward and 5,100.19 with the backward pass, in which
    0.06 are elementwise."""
    parts = gpt2(32, 4096, 32, functools.partial(GLU, d_ff=11008), vocab_size=32000).parts()
    assert forward_flops(parts, 128, palm=True) / 1e9 == pytest.approx(1700.0017, abs=1e-4)
    assert training_flops(parts, 128, palm=True) / 1e9 == pytest.approx(5100.0, abs=0.01)


def test_published_llama_3_1_8b() -> None:
    """pytorch/torchtitan counts 57,914,449,920 per token at 8,192, without the looked-up table."""
    attention = functools.partial(FullAttention, num_heads=32, num_kv_heads=8)
    model = gpt2(32, 4096, 32, functools.partial(GLU, d_ff=14336), vocab_size=128_256, attention=attention)
    assert total_params(model) == 8_030_261_248
    norms = sum(p.numel() for name, p in model.named_parameters() if "norm" in name)
    found = training_flops(model.parts(), 8192, palm=True) / 8192 + 6 * norms  # it takes 6 N, gains of norms included
    assert found == 57_914_449_920
    exact = training_flops(model.parts(), 8192) / 8192 + 6 * norms
    device = find_device("NVIDIA H100 80GB HBM3")
    assert device is not None
    for rate, dense, causal in ((5762, 33.7, 30.0), (6667, 39.0, 34.7)):  # tokens per second, "33 % to 39 %"
        shares = [100 * rate * flops / device.dense_flops["bf16"].value for flops in (found, exact)]
        assert shares == [pytest.approx(dense, abs=0.1), pytest.approx(causal, abs=0.1)]


def test_published_gpt2_shapes_with_two_matrices() -> None:
    """nanoGPT's transformer_sizing.ipynb for the small one (forward and its 3x), CS336 for the rest."""
    small = gpt2(12, 768, 12, MLP)
    assert small.cost(1024).palm == 291_648_307_200
    assert training_flops(small.parts(), 1024, palm=True) == 874_944_921_600
    assert gpt2(24, 1024, 16, MLP).cost(1024).palm == 826_951_073_792
    assert gpt2(36, 1280, 20, MLP).cost(1024).palm == 1_774_570_700_800
    assert gpt2(48, 1600, 25, MLP).cost(1024).palm == 3_506_703_564_800
    assert total_params(gpt2(48, 1600, 25, MLP)) == 1_635_537_600


def test_published_nanogpt_character_model() -> None:
    """nanoGPT's train_shakespeare_char.py: tied, LayerNorm without bias, its position table left out of the count."""
    norm = functools.partial(LayerNorm, bias=False)
    model = gpt2(6, 384, 6, MLP, vocab_size=65, head=TiedHead, norm=norm)
    assert total_params(model) == 10_646_784
    assert training_flops(model.parts(), 256, palm=True) == 70_928_640 * 256


def test_published_llama_2_7b() -> None:
    """Touvron et al. 2023, arXiv 2307.09288: 6,738,415,616 parameters; 6 N T + 12 L H Q T² at T = 4096."""
    model = gpt2(32, 4096, 32, functools.partial(GLU, d_ff=11008), vocab_size=32000, norm=RMSNorm)
    assert total_params(model) == 6_738_415_616
    assert training_flops(model.parts(), 4096, palm=True) == 188_763_812_659_200
