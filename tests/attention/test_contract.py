"""Laws of every attention, each with every kind of position that it takes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.small import D_MODEL, Slopes, context, make_part
from zoo.accounting.counter import count_flops
from zoo.attention import Attention
from zoo.attention.base import Cache
from zoo.families import variants
from zoo.positions import NoPosition, RotaryEmbedding

KINDS = (None, RotaryEmbedding, Slopes)
CASES = [
    pytest.param(cls, kind, id=f"{name}-{kind.__name__ if kind else 'none'}")
    for name, cls in variants("attention").items()
    for kind in KINDS
    if kind is None or issubclass(kind, cls.accepts)
]
LENGTH = 75  # longer than the default window, so that it matters
CHUNKS = {
    "token by token": [1] * LENGTH,
    "prefill then tokens": [LENGTH - 3, 1, 1, 1],
    "in pieces": [2, 30, 1, 1, LENGTH - 34],
    "at once": [LENGTH],
}

every_case = pytest.mark.parametrize(("cls", "position"), CASES)
every_variant = pytest.mark.parametrize("cls", variants("attention").values(), ids=variants("attention"))


def make(cls: type, position: Any, **arguments: Any) -> Attention:
    return make_part("attention", cls, position=position, **arguments)


def stream(batch_size: int = 2, num_tokens: int = LENGTH, seed: int = 1) -> Tensor:
    return torch.randn(batch_size, num_tokens, D_MODEL, generator=torch.Generator().manual_seed(seed))


@every_case
@pytest.mark.parametrize("num_tokens", [1, 7, LENGTH])
def test_shape_and_dtype_are_kept(cls: type, position: Any, num_tokens: int) -> None:
    x_BTD = stream(3, num_tokens)
    y_BTD = make(cls, position)(x_BTD, context(3, num_tokens))
    assert y_BTD.shape == x_BTD.shape and y_BTD.dtype == x_BTD.dtype and y_BTD.isfinite().all()


@every_case
def test_never_looks_ahead(cls: type, position: Any) -> None:
    attention, x_BTD = make(cls, position), stream(1).requires_grad_()
    y_BTD = attention(x_BTD, context(1, LENGTH))
    for t in (0, 1, LENGTH // 2, LENGTH - 2):
        (gradient_BTD,) = torch.autograd.grad(y_BTD[0, t].square().sum(), x_BTD, retain_graph=True)
        assert gradient_BTD[0, t + 1 :].abs().max() == 0
        assert gradient_BTD[0, t].abs().max() > 0


@every_case
@torch.no_grad()
@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS)
def test_cached_is_full(cls: type, position: Any, chunks: list[int]) -> None:
    attention, x_BTD = make(cls, position), stream()
    full_BTD = attention(x_BTD, context(2, LENGTH))
    cache, pieces = Cache([attention.new_cache(2, LENGTH)]), []
    for piece_BTD in x_BTD.split(chunks, dim=1):
        pieces.append(attention(piece_BTD, context(2, piece_BTD.shape[1], start=cache.length, cache=cache)))
        cache.length += piece_BTD.shape[1]
    torch.testing.assert_close(torch.cat(pieces, dim=1), full_BTD, rtol=1e-4, atol=1e-5)


@every_case
@torch.no_grad()
@pytest.mark.parametrize("restart", [True, False], ids=["positions restart", "positions go on"])
def test_documents_never_mix(cls: type, position: Any, restart: bool) -> None:
    """A row of three documents is each document alone."""
    attention, x_BTD, lengths = make(cls, position), stream(1), [5, 1, LENGTH - 6]
    documents_BT = torch.repeat_interleave(torch.arange(3), torch.tensor(lengths))[None]
    ctx = context(1, LENGTH, documents_BT=documents_BT)
    if restart:
        ctx.positions_BT = torch.cat([torch.arange(n) for n in lengths])[None]
    packed_BTD = attention(x_BTD, ctx)
    alone = [
        attention(piece_BTD, context(1, n, start=0 if restart else sum(lengths[:i])))
        for i, (piece_BTD, n) in enumerate(zip(x_BTD.split(lengths, dim=1), lengths, strict=True))
    ]
    torch.testing.assert_close(packed_BTD, torch.cat(alone, dim=1), rtol=1e-4, atol=1e-5)


@every_case
@torch.no_grad()
def test_documents_never_mix_through_the_cache(cls: type, position: Any) -> None:
    attention, x_BTD = make(cls, position), stream()
    documents_BT = (torch.arange(LENGTH) >= 31).long().expand(2, LENGTH)
    full_BTD = attention(x_BTD, context(2, LENGTH, documents_BT=documents_BT))
    cache, pieces = Cache([attention.new_cache(2, LENGTH)]), []
    for piece_BTD, piece_BT in zip(x_BTD.split(25, dim=1), documents_BT.split(25, dim=1), strict=True):
        ctx = context(2, 25, start=cache.length, cache=cache, documents_BT=piece_BT)
        pieces.append(attention(piece_BTD, ctx))
        cache.length += 25
    torch.testing.assert_close(torch.cat(pieces, dim=1), full_BTD, rtol=1e-4, atol=1e-5)


@every_case
@torch.no_grad()
def test_left_padding_as_a_document_of_its_own_changes_nothing(cls: type, position: Any) -> None:
    attention, x_BTD, padding = make(cls, position), stream(1, 20), stream(1, 6, seed=9)
    documents_BT = (torch.arange(26) >= 6).long()[None]
    ctx = context(1, 26, start=-6, documents_BT=documents_BT)
    padded_BTD = attention(torch.cat([padding, x_BTD], dim=1), ctx)
    assert padded_BTD.isfinite().all()
    torch.testing.assert_close(padded_BTD[:, 6:], attention(x_BTD, context(1, 20)), rtol=1e-4, atol=1e-5)


@every_case
@torch.no_grad()
def test_bf16_is_near_fp32(cls: type, position: Any) -> None:
    attention, x_BTD = make(cls, position), stream()
    wide_BTD = attention(x_BTD, context(2, LENGTH))
    narrow_BTD = attention.bfloat16()(x_BTD.bfloat16(), context(2, LENGTH))
    assert narrow_BTD.dtype == torch.bfloat16
    error = (narrow_BTD.float() - wide_BTD).norm() / wide_BTD.norm()
    assert error < 0.02


@every_case
@pytest.mark.parametrize("num_tokens", [1, 33, LENGTH, 130])
def test_flops_are_the_counters(cls: type, position: Any, num_tokens: int) -> None:
    with torch.device("meta"):
        attention = make(cls, position)
        x_BTD = torch.empty(1, num_tokens, D_MODEL, requires_grad=True)
        ctx = context(1, num_tokens)
        forward = count_flops(lambda: attention(x_BTD, ctx))
        both = count_flops(lambda: attention(x_BTD, ctx).sum().backward())
    cost = attention.cost(num_tokens)
    assert forward == cost.seen_by_counter > 0
    assert both == 3 * forward
    assert cost.weight_grad == cost.matmul and cost.exact <= cost.palm


@every_case
def test_flops_of_cached_tokens_are_the_counters(cls: type, position: Any) -> None:
    with torch.device("meta"), torch.no_grad():
        attention = make(cls, position)
        cache = Cache([attention.new_cache(1, LENGTH, device="meta")])
        for num_tokens in (60, 1, 10, 1):
            ctx = context(1, num_tokens, start=cache.length, cache=cache)
            x_BTD = torch.empty(1, num_tokens, D_MODEL)
            counted = count_flops(lambda x_BTD=x_BTD, ctx=ctx: attention(x_BTD, ctx))
            assert counted == attention.cost(num_tokens, cache.length).seen_by_counter
            cache.length += num_tokens


@every_variant
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("max_len", [1, 40, 200])
def test_cache_bytes_are_the_caches(cls: type, dtype: torch.dtype, max_len: int) -> None:
    attention = make_part("attention", cls)
    cache = attention.new_cache(3, max_len, dtype=dtype)
    held = {id(t): t for t in vars(cache).values() if isinstance(t, Tensor)}.values()
    assert attention.cache_bytes(3, max_len, dtype) == cache.num_bytes() == sum(t.nbytes for t in held)


@every_variant
def test_an_input_position_is_refused(cls: type) -> None:
    with pytest.raises(ValueError, match=rf"{cls.__name__} takes a .*, not NoPosition"):
        make(cls, NoPosition)
