from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from data_doubles import ArrayStore
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data import TrainBatches
from zoo.data.packing import PackedRows, best_fit, documents_of, draw_order
from zoo.heads.base import IGNORE_INDEX

END = 0
capacities = st.integers(1, 40)


@st.composite
def items(draw: st.DrawFn) -> tuple[list[int], int]:
    capacity = draw(capacities)
    return draw(st.lists(st.integers(1, capacity), min_size=1, max_size=80)), capacity


def best_fit_reference(lengths: list[int], capacity: int) -> list[int]:
    """Best-fit-decreasing as the textbook has it: look at every row."""
    left: list[int] = []  # room of each row
    filled: list[int] = []  # when it last took an item
    rows = [0] * len(lengths)
    for turn, item in enumerate(sorted(range(len(lengths)), key=lambda i: -lengths[i])):
        fits = [row for row, room in enumerate(left) if room >= lengths[item]]
        if not fits:
            left.append(capacity)
            filled.append(turn)
            fits = [len(left) - 1]
        rows[item] = min(fits, key=lambda row: (left[row], -filled[row]))
        left[rows[item]] -= lengths[item]
        filled[rows[item]] = turn
    return rows


def packed(document_tokens: list[int], seq_len: int, start: int = 0, seed: int = 0) -> PackedRows:
    ends = start + 1 + np.cumsum([n + 1 for n in document_tokens])
    return PackedRows(seed, 0, start, ends, seq_len)


def packed_batches(document_tokens: list[int], seq_len: int, **options: bool) -> TrainBatches:
    store = ArrayStore(document_tokens)
    store.stream[np.concatenate([[0], store.document_ends("train") - 1])] = END
    given_ = {"seed": 1, "seq_len": seq_len, "batch_size": 3, "packing": "best_fit"}
    return TrainBatches(store, **given_ | options)  # type: ignore[arg-type]


@settings(deadline=None)  # the first call compiles
@given(items())
def test_it_packs_as_the_textbook_does(drawn: tuple[list[int], int]) -> None:
    lengths, capacity = drawn
    assert best_fit(np.array(lengths), capacity).tolist() == best_fit_reference(lengths, capacity)


@pytest.mark.parametrize(
    ("lengths", "capacity", "expected"),
    [
        ([5, 5, 5], 10, [0, 0, 1]),
        ([2, 7, 3, 8], 10, [0, 1, 1, 0]),  # 8 opens a row, 7 another; 3 fits the second alone, then 2 the first
        ([4, 4, 4, 6, 6, 6], 10, [2, 1, 0, 0, 1, 2]),  # full rows; of equally full ones the last comes first
        ([10], 10, [0]),
    ],
)
def test_packed_by_hand(lengths: list[int], capacity: int, expected: list[int]) -> None:
    assert best_fit(np.array(lengths), capacity).tolist() == expected


@given(items())
def test_no_row_overflows_and_no_two_could_have_been_one(drawn: tuple[list[int], int]) -> None:
    lengths, capacity = drawn
    fullness = Counter[int]()
    for row, length in zip(best_fit(np.array(lengths), capacity).tolist(), lengths, strict=True):
        fullness[row] += length
    assert max(fullness.values()) <= capacity
    lightest = sorted(fullness.values())[:2]
    assert len(lightest) < 2 or sum(lightest) > capacity


@given(st.lists(st.integers(0, 60), min_size=1, max_size=25), st.integers(1, 20), st.integers(0, 99), st.integers(0, 3))
def test_an_epoch_holds_every_target_once_and_cuts_only_what_is_too_long(
    document_tokens: list[int], seq_len: int, start: int, epoch: int
) -> None:
    rows = packed(document_tokens, seq_len, start)
    n = rows.rows_per_epoch
    drawn = [rows.spans(row) for row in range(epoch * n, (epoch + 1) * n)]
    places = Counter(p for row in drawn for first, length in row for p in range(first, first + length))
    num_targets = sum(n + 1 for n in document_tokens)
    assert places == Counter(range(start, start + num_targets))
    assert rows.targets_per_epoch == num_targets
    spans = {span for row in drawn for span in row}
    first = start
    for length in (n + 1 for n in document_tokens):
        if length <= seq_len:
            assert (first, length) in spans
        else:
            pieces = sorted((p, size) for p, size in spans if first <= p < first + length)
            assert [size for _, size in pieces[:-1]] == [seq_len] * (len(pieces) - 1)
        first += length
    for number, row in enumerate(drawn):
        assert 0 < rows.num_targets(epoch * n + number) == sum(size for _, size in row) <= seq_len
        assert all(a < b for (a, _), (b, _) in pairwise(row))  # in the order of the stream
    again = packed(document_tokens, seq_len, start)
    assert [again.spans(row) for row in range(epoch * n, (epoch + 1) * n)] == drawn


def test_epochs_and_seeds_order_the_same_rows_differently() -> None:
    document_tokens = np.random.default_rng(0).integers(1, 30, 200).tolist()
    orders = {}
    for seed in range(5):
        rows = packed(document_tokens, 20, seed=seed)
        n = rows.rows_per_epoch
        for epoch in range(3):
            orders[seed, epoch] = [tuple(rows.spans(row)) for row in range(epoch * n, (epoch + 1) * n)]
    assert len({tuple(order) for order in orders.values()}) == 15
    assert len({frozenset(order) for order in orders.values()}) == 1


def test_fewer_documents_are_cut_than_in_windows() -> None:
    """What the packing is for: the share of documents that a row holds whole, of those that fit one."""
    document_tokens = np.random.default_rng(0).geometric(1 / 60, 2000).tolist()
    store = ArrayStore(document_tokens)
    ends = store.document_ends("train")
    whole = {}
    for packing in ("concat", "best_fit"):
        data = TrainBatches(store, seed=0, seq_len=128, batch_size=1, packing=packing)  # type: ignore[arg-type]
        rows = data.sources["all"]
        held = [span for row in range(rows.rows_per_epoch) for span in rows.spans(row)]
        starts, lengths = map(np.array, zip(*held, strict=True))
        inside = np.zeros(len(ends), dtype=bool)
        for first, stop in zip(starts, starts + lengths, strict=True):
            begun = np.searchsorted(ends[:-1] - 1, first, side="left") + 1
            closed = np.searchsorted(ends - 1, stop, side="right")
            if first == 0:
                begun = 0
            inside[begun:closed] = True
        fits = np.diff(ends, prepend=1) <= 128
        whole[packing] = inside[fits].mean()
        if packing == "best_fit":
            assert 0.95 < data.efficiency < 1
    assert whole["concat"] < 0.75 and whole["best_fit"] == 1


def test_rows_say_what_is_padding_and_which_document_a_token_is_of() -> None:
    data = packed_batches([2, 9, 1], seq_len=6, document_mask=True)  # 3 targets; 10, cut 6 + 4; 2
    (rows,) = [data.step(0)]
    assert data.num_targets(0) == 15 and data.sources["all"].rows_per_epoch == 3
    assert data.efficiency == pytest.approx(15 / 18)
    found = sorted(zip(*(array.tolist() for array in rows), strict=True))  # type: ignore[union-attr]
    _ = IGNORE_INDEX
    assert found == [
        ([0, 2, 3, 0, 0, 0], [2, 3, 0, _, _, _], [0, 0, 0, 1, 1, 1]),
        ([0, 5, 6, 7, 8, 9], [5, 6, 7, 8, 9, 10], [0, 0, 0, 0, 0, 0]),
        ([10, 11, 12, 13, 0, 15], [11, 12, 13, 0, 15, 0], [0, 0, 0, 0, 1, 1]),  # a rest, and a document behind it
    ]


def test_documents_begin_with_the_end_of_text_before_them() -> None:
    inputs = [[7, 0, 5, 6, 0, 0, 4], [0, 1, 2, 3, 4, 5, 6]]
    expected = [[0, 1, 1, 1, 2, 3, 3], [1, 1, 1, 1, 1, 1, 1]]
    assert documents_of(np.array(inputs), 0).tolist() == expected
    assert documents_of(torch.tensor(inputs), 0).tolist() == expected


def test_windows_tell_documents_by_their_end_of_text() -> None:
    data = packed_batches([2, 9, 1, 5, 0, 8], seq_len=7, document_mask=True)
    assert data.step(0).documents_BT is not None and packed_batches([9], seq_len=7).step(0).documents_BT is None
    windows = TrainBatches(data.store, seed=0, seq_len=7, batch_size=4, document_mask=True)
    for step in range(4):
        rows = windows.step(step)
        assert rows.documents_BT is not None
        assert rows.documents_BT.tolist() == np.cumsum(rows.inputs_BT == END, axis=1).tolist()


def test_orders_are_keyed_by_seed_source_and_epoch() -> None:
    keys = [(seed, source, epoch) for seed in (0, 2**64 - 1) for source in (0, 1, 2**64 - 1) for epoch in (0, 1, 9)]
    orders = {tuple(draw_order(*key, 50, 1)[1].tolist()) for key in keys}
    assert len(orders) == len(keys)
    assert all(sorted(order) == list(range(50)) for order in orders)


def test_a_million_documents_pack_without_a_search_through_rows() -> None:
    """The reference, which looks at every row, would take hours. As in the paper, hardly a place is lost."""
    lengths = np.minimum(np.random.default_rng(0).lognormal(5.5, 1.2, 1_000_000).astype(np.int64) + 1, 2048)
    rows = best_fit(lengths, 2048)
    filled = np.bincount(rows, weights=lengths)
    assert filled.max() <= 2048
    assert filled.mean() > 0.999 * 2048
