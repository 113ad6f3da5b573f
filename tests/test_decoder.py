"""The decoder: against a transformer written from scratch, patterns of layers, caches, gradients, what is shared."""

from __future__ import annotations

import cmath
import copy
import functools
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.small import EXCHANGES, VOCAB, Slopes, build_decoder, decoder, exchange_id
from zoo.attention import FullAttention, SlidingWindowAttention
from zoo.blocks import PostNorm
from zoo.component import Component, Context, iter_parameters
from zoo.decoder import Decoder, LayerSpec
from zoo.families import variants
from zoo.ffns import GLU, MLP
from zoo.heads import TiedHead
from zoo.inits import GPT2Init
from zoo.inits.base import initialise, materialise
from zoo.norms import LayerNorm
from zoo.positions import InputPosition, NoPosition, RotaryEmbedding

every_part = pytest.mark.parametrize("exchange", EXCHANGES, ids=exchange_id)


def ids(num_tokens: int, batch_size: int = 2) -> Tensor:
    return torch.randint(VOCAB, (batch_size, num_tokens), generator=torch.Generator().manual_seed(0))


class NaiveTransformer:
    """A Llama-like decoder in fp64, from a state dict: one sequence, one head and one query at a time."""

    def __init__(self, model: Decoder):
        self.weights = {name: value.double() for name, value in model.state_dict().items()}
        attention = model.blocks[0].attention
        self.num_layers, self.head_dim = model.num_layers, attention.head_dim
        self.num_heads, self.num_kv_heads = attention.num_heads, attention.num_kv_heads

    def norm(self, x: Tensor, name: str) -> Tensor:
        return x / math.sqrt(float((x * x).mean()) + 1e-6) * self.weights[f"{name}.gain"]

    def rotate(self, x: Tensor, position: int) -> Tensor:
        half = self.head_dim // 2
        pairs = [
            complex(x[i], x[i + half]) * cmath.exp(1j * position * 10000 ** (-2 * i / self.head_dim))
            for i in range(half)
        ]
        return torch.tensor([z.real for z in pairs] + [z.imag for z in pairs], dtype=torch.float64)

    def attend(self, stream: list[Tensor], name: str) -> list[Tensor]:
        q, k, v, out = (self.weights[f"{name}.{part}.weight"] for part in ("q", "k", "v", "out"))
        mixed = []
        for t, x in enumerate(stream):
            heads = []
            for h in range(self.num_heads):
                own = slice(h * self.head_dim, (h + 1) * self.head_dim)
                kv_head = h * self.num_kv_heads // self.num_heads
                read = slice(kv_head * self.head_dim, (kv_head + 1) * self.head_dim)
                query = self.rotate((q @ x)[own], t)
                keys = [self.rotate((k @ stream[s])[read], s) for s in range(t + 1)]
                scores = torch.stack([query @ key for key in keys]) / math.sqrt(self.head_dim)
                weights = scores.exp() / scores.exp().sum()
                heads.append(sum(w * (v @ stream[s])[read] for s, w in enumerate(weights)))
            mixed.append(out @ torch.cat(heads))
        return mixed

    def feed(self, x: Tensor, name: str) -> Tensor:
        gate, up, down = (self.weights[f"{name}.{part}.weight"] for part in ("gate", "up", "down"))
        gated = gate @ x
        return down @ (gated / (1 + (-gated).exp()) * (up @ x))

    def logits(self, tokens: list[int]) -> Tensor:
        stream = [self.weights["embedding.weight"][token] for token in tokens]
        for i in range(self.num_layers):
            mixed = self.attend([self.norm(x, f"layers.{i}.attention_norm") for x in stream], f"layers.{i}.attention")
            stream = [x + y for x, y in zip(stream, mixed, strict=True)]
            stream = [x + self.feed(self.norm(x, f"layers.{i}.ffn_norm"), f"layers.{i}.ffn") for x in stream]
        return torch.stack([self.weights["head.unembed.weight"] @ self.norm(x, "norm") for x in stream])


@torch.no_grad()
@pytest.mark.parametrize("num_kv_heads", [None, 2])
def test_logits_equal_a_transformer_written_from_scratch(num_kv_heads: int | None) -> None:
    model = decoder(attention=functools.partial(FullAttention, num_kv_heads=num_kv_heads))
    ids_BT = ids(6)
    expected = torch.stack([NaiveTransformer(model).logits(row) for row in ids_BT.tolist()])
    torch.testing.assert_close(model.logits(ids_BT).double(), expected, rtol=1e-4, atol=1e-4)


@every_part
@torch.no_grad()
@pytest.mark.parametrize("chunks", [[1] * 12, [7, 1, 1, 1, 1, 1], [5, 7]], ids=["tokens", "prefill", "pieces"])
def test_cached_logits_are_the_full_logits(exchange: tuple[str, type], chunks: list[int]) -> None:
    model, ids_BT = decoder(**{exchange[0]: exchange[1]}), ids(12)
    cache, pieces = model.new_cache(2, 12), []
    for piece_BT in ids_BT.split(chunks, dim=1):
        pieces.append(model.logits(piece_BT, model.context(piece_BT, cache=cache)))
    assert cache.length == 12
    torch.testing.assert_close(torch.cat(pieces, dim=1), model.logits(ids_BT), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_packed_documents_are_each_document_alone() -> None:
    model, ids_BT = decoder(), ids(10, batch_size=1)
    documents_BT = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1, 1, 1]])
    packed = model.logits(ids_BT, model.context(ids_BT, documents_BT=documents_BT))
    alone = torch.cat([model.logits(ids_BT[:, :4]), model.logits(ids_BT[:, 4:])], dim=1)
    torch.testing.assert_close(packed, alone, rtol=1e-4, atol=1e-4)  # rotary: a shift of all positions changes nothing


@every_part
def test_gradient_reaches_every_parameter(exchange: tuple[str, type]) -> None:
    model, ids_BT = decoder(**{exchange[0]: exchange[1]}), ids(12)
    model.loss(ids_BT[:, :-1], ids_BT[:, 1:]).nats_sum.backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert silent == []


@every_part
def test_no_instance_is_shared_between_layers(exchange: tuple[str, type]) -> None:
    model = decoder(**{exchange[0]: exchange[1]}, num_layers=3)
    owners: dict[int, str] = {}
    for i, block in enumerate(model.layers):
        for name, module in block.named_modules():
            assert owners.setdefault(id(module), f"{i}.{name}") == f"{i}.{name}"
    tensors = [p.data_ptr() for block in model.layers for p in block.parameters()]
    assert len(tensors) == len(set(tensors))


@every_part
def test_parts_are_everything_once(exchange: tuple[str, type]) -> None:
    """Accounting adds up over parts: each parameter stands in one of them, a tied table in two."""
    model = decoder(**{exchange[0]: exchange[1]})
    in_parts = {id(p) for _, part in model.parts() for p in part.parameters()}
    assert in_parts == {id(p) for p in model.parameters()}
    assert model.parts()[0] == ("embedding", model.embedding) and model.parts()[-1] == ("heads", model.head)
    assert model.active_params() == sum(p.numel() for p in model.parameters())


@every_part
def test_roles_survive_deepcopy_meta_and_assigned_state(exchange: tuple[str, type]) -> None:
    def roles(model: Decoder) -> list[tuple[Any, ...]]:
        return [(name, role) for name, _, role, _ in iter_parameters(model)]

    model, ids_BT = decoder(**{exchange[0]: exchange[1]}), ids(5)
    with torch.device("meta"):
        late = build_decoder(**{exchange[0]: exchange[1]})
    late.load_state_dict(model.state_dict(), assign=True)
    copied = copy.deepcopy(model)
    fresh = build_decoder(**{exchange[0]: exchange[1]})
    fresh.load_state_dict(model.state_dict())
    for other in (copied, fresh, late):
        assert torch.equal(other.logits(ids_BT), model.logits(ids_BT))
        if other is not late or exchange[1] is not TiedHead:  # assignment itself unties: torch's own rule
            assert roles(other) == roles(model)


def test_layers_repeat_and_cycle() -> None:
    window = functools.partial(SlidingWindowAttention, window=3)
    pattern = [LayerSpec(attention=window, repeat=2), LayerSpec(ffn=MLP, norm=LayerNorm)]
    model = decoder(layers=pattern, num_layers=7)
    kinds = [(type(b.attention), type(b.ffn), type(b.attention_norm).__name__) for b in model.layers]
    local, other = (SlidingWindowAttention, GLU, "RMSNorm"), (FullAttention, MLP, "LayerNorm")
    assert kinds == [local, local, other, local, local, other, local]
    assert [b.attention.layer for b in model.layers] == list(range(7))
    assert model.logits(ids(9)).isfinite().all()


@torch.no_grad()
def test_a_layer_may_have_its_own_position() -> None:
    unturned = functools.partial(RotaryEmbedding, fraction=0.0)
    model = decoder(layers=[LayerSpec(), LayerSpec(position=Slopes), LayerSpec(position=unturned)], num_layers=3)
    kinds = [type(b.attention.position) for b in model.layers]
    assert kinds == [RotaryEmbedding, Slopes, RotaryEmbedding]
    ids_BT, cache = ids(8), model.new_cache(2, 8)
    pieces = [model.logits(piece, model.context(piece, cache=cache)) for piece in ids_BT.split([3, 1, 4], dim=1)]
    torch.testing.assert_close(torch.cat(pieces, 1), model.logits(ids_BT), rtol=1e-4, atol=1e-4)


class Shift(InputPosition):
    """Adds the position itself: what an input position must be given, in plain sight."""

    def __init__(self, *, d_model: int):
        super().__init__()

    def forward(self, x_BTD: Tensor, positions_BT: Tensor) -> Tensor:
        return x_BTD + positions_BT[..., None]


@torch.no_grad()
def test_an_input_position_is_added_once_and_keeps_its_offset_in_a_cache() -> None:
    model, ids_BT = decoder(position=Shift), ids(6)
    assert isinstance(model.position, Shift) and all(b.attention.position is None for b in model.layers)
    seen: list[Tensor] = []
    model.layers[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    cache = model.new_cache(2, 6)
    for piece_BT in ids_BT.split([4, 2], dim=1):
        model(piece_BT, model.context(piece_BT, cache=cache))
    expected = model.embedding(ids_BT) + torch.arange(6)[None, :, None]
    torch.testing.assert_close(torch.cat(seen, dim=1), expected)


def test_an_input_position_in_a_layer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.layers: NoPosition adds to the embeddings, so it cannot differ"):
        build_decoder(layers=[LayerSpec(), LayerSpec(position=NoPosition)])


def test_an_empty_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.layers is empty: leave it null, or name at least one layer"):
        build_decoder(layers=[])
    with pytest.raises(ValueError, match=r"model\.layers: repeat=0 must be at least 1"):
        LayerSpec(repeat=0)


@pytest.mark.parametrize("name", ["vocab_size", "d_model", "num_layers"])
def test_sizes_below_one_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}=0 must be at least 1"):
        build_decoder(**{name: 0})


def test_final_norm_stands_where_a_block_needs_one() -> None:
    assert build_decoder().norm is not None and build_decoder(block=PostNorm).norm is None


def test_buffers_are_filled_again_after_the_meta_device() -> None:
    class Table(Component):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("row", torch.empty(3), persistent=False)
            self.reset_buffers()

        def reset_buffers(self) -> None:
            self.row.copy_(torch.arange(3.0))

    with torch.device("meta"):
        holder = nn.ModuleList([Table()])
    materialise(holder, "cpu")
    assert holder[0].row.tolist() == [0.0, 1.0, 2.0]


def test_loss_is_near_ln_vocab_and_falls() -> None:
    """Twenty steps of plain gradient descent on one batch."""
    model, ids_BT = build_decoder(), ids(17, batch_size=4)
    initialise(model, GPT2Init(), seed=0, num_layers=2)
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=1e-2), []
    for _ in range(20):
        loss = model.loss(ids_BT[:, :-1], ids_BT[:, 1:])
        optimizer.zero_grad()
        (loss.nats_sum / loss.count).backward()
        optimizer.step()
        losses.append(float((loss.nats_sum / loss.count).detach()))
    assert abs(losses[0] - math.log(VOCAB)) < 0.1 and losses[-1] < losses[0] / 2


@torch.no_grad()
def test_context_can_be_given_by_hand() -> None:
    model, ids_BT = decoder(), ids(5)
    by_hand = Context(positions_BT=torch.arange(100, 105).expand(2, 5))
    torch.testing.assert_close(model.logits(ids_BT, by_hand), model.logits(ids_BT), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("block", variants("blocks").values())
def test_checkpointing_changes_no_gradient(block: type) -> None:
    """Dropout draws the same again, and what a layer reports is reported once."""
    ids_BT = torch.arange(24).view(2, 12) % VOCAB
    gradients = []
    for checkpointing in (False, True):
        model = decoder(block=functools.partial(block, dropout=0.3))
        model.checkpointing = checkpointing
        torch.manual_seed(1)
        model.loss(ids_BT, ids_BT).nats_sum.backward()
        gradients.append([p.grad for p in model.parameters()])
    for plain, sparing in zip(*gradients, strict=True):
        torch.testing.assert_close(sparing, plain, rtol=0, atol=0)


def test_checkpointing_leaves_generation_alone() -> None:
    model = decoder()
    ids_BT = torch.arange(12).view(1, 12) % VOCAB
    plain = model.logits(ids_BT)
    model.checkpointing = True
    cache = model.new_cache(1, 12)
    parts = [model.logits(ids, model.context(ids, cache=cache)) for ids in (ids_BT[:, :7], ids_BT[:, 7:])]
    torch.testing.assert_close(torch.cat(parts, dim=1), plain)
