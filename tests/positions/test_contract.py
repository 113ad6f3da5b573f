"""Laws of every position: which kind it is, dtypes kept, and the same result with and without a cache offset."""

from __future__ import annotations

import inspect

import pytest
import torch

from tests.small import context, make_part
from zoo.attention import FullAttention
from zoo.attention.base import Cache
from zoo.families import variants
from zoo.positions import InputPosition, RotaryPosition, ScorePosition

every_variant = pytest.mark.parametrize("cls", variants("positions").values(), ids=variants("positions"))
KINDS = (InputPosition, RotaryPosition, ScorePosition)


@every_variant
def test_is_of_exactly_one_kind_and_takes_what_its_kind_is_given(cls: type) -> None:
    kinds = [kind for kind in KINDS if issubclass(cls, kind)]
    assert len(kinds) == 1
    required = {name for name, p in inspect.signature(cls).parameters.items() if p.default is inspect.Parameter.empty}
    assert required == ({"d_model"} if kinds == [InputPosition] else {"num_heads", "head_dim"})


@every_variant
@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_shape_and_dtype_are_kept(cls: type, dtype: torch.dtype) -> None:
    position = make_part("position", cls).to(dtype)
    positions_BT = torch.arange(3, 10).expand(2, 7)
    if isinstance(position, ScorePosition):
        bias_BHTS = position(positions_BT[:, -2:], positions_BT)
        assert bias_BHTS.dtype == torch.float32 and bias_BHTS.shape[-3:] == (4, 2, 7)
        return
    x = torch.randn(2, 7, 32, dtype=dtype) if isinstance(position, InputPosition) else torch.randn(2, 4, 7, 8).to(dtype)
    y = position(x, positions_BT)
    assert y.shape == x.shape and y.dtype == dtype and y.isfinite().all()


@every_variant
@torch.no_grad()
@pytest.mark.parametrize("split", [1, 4, 8])
def test_same_result_with_and_without_a_cache_offset(cls: type, split: int) -> None:
    x_BTD = torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(0))
    if issubclass(cls, InputPosition):
        position, positions_BT = make_part("position", cls), torch.arange(9).expand(2, 9)
        pieces = [position(x_BTD[:, s], positions_BT[:, s]) for s in (slice(0, split), slice(split, 9))]
        assert torch.equal(torch.cat(pieces, 1), position(x_BTD, positions_BT))
        return
    attention = make_part("attention", FullAttention, position=cls)
    cache = Cache([attention.new_cache(2, 9)])
    first_BTD = attention(x_BTD[:, :split], context(2, split, cache=cache))
    cache.length = split
    second_BTD = attention(x_BTD[:, split:], context(2, 9 - split, start=split, cache=cache))
    full_BTD = attention(x_BTD, context(2, 9))
    torch.testing.assert_close(torch.cat([first_BTD, second_BTD], 1), full_BTD, rtol=1e-4, atol=1e-5)


@every_variant
@torch.no_grad()
def test_each_row_has_its_own_positions(cls: type) -> None:
    """A batch of rows that stand elsewhere is each row alone: nothing is read off the first row."""
    position = make_part("position", cls)
    positions_BT = torch.stack([torch.arange(7), torch.arange(20, 27)])
    if isinstance(position, ScorePosition):
        both = position(positions_BT, positions_BT)
        alone = [position(row[None], row[None]) for row in positions_BT]
        torch.testing.assert_close(both.expand(2, *both.shape[1:]), torch.cat(alone))
        return
    x = torch.randn(2, 7, 32) if isinstance(position, InputPosition) else torch.randn(2, 4, 7, 8)
    alone = [position(x[i : i + 1], positions_BT[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(position(x, positions_BT), torch.cat(alone))
