from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from data_doubles import ArrayStore
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from zoo.data import TrainBatches
from zoo.data.store import StoredSource
from zoo.heads.base import IGNORE_INDEX


class TextStore(ArrayStore):
    """As `ArrayStore`, with an end-of-text where one belongs.

    Args:
        sources: (weight, tokens of each document) by name.
    """

    def __init__(self, sources: dict[str, tuple[float, list[int]]]):
        stored, start = [], 0
        for name, (weight, document_tokens) in sources.items():
            stop = start + sum(n + 1 for n in document_tokens) + 1
            stored.append(StoredSource(name, weight, start, stop))
            start = stop - 1
        super().__init__([n for _, documents in sources.values() for n in documents], sources=stored)
        self.stream[0] = 0
        self.stream[self.document_ends("train") - 1] = 0


def batches(num_tokens: int, *, seed: int = 0, seq_len: int = 4, batch_size: int = 4) -> TrainBatches:
    store = ArrayStore([num_tokens - 2])  # the first end-of-text, one document, its end-of-text
    return TrainBatches(store, seed=seed, seq_len=seq_len, batch_size=batch_size)  # type: ignore[arg-type]


def mixed(sources: dict[str, tuple[float, list[int]]], **options: Any) -> TrainBatches:
    given = {"seed": 0, "seq_len": 4, "batch_size": 4}
    return TrainBatches(TextStore(sources), **given | options)  # type: ignore[arg-type]


def rows_of(data: TrainBatches, name: str, epoch: int) -> list[list[tuple[int, int]]]:
    rows = data.sources[name]
    return [rows.spans(row) for row in range(epoch * rows.rows_per_epoch, (epoch + 1) * rows.rows_per_epoch)]


sizes = st.integers(2, 90), st.integers(1, 9), st.integers(0, 2**64 - 1)
documents = st.lists(st.integers(0, 30), min_size=1, max_size=12)
mixtures = st.dictionaries(
    st.sampled_from(["prose", "code", "talk", "news"]), st.tuples(st.floats(0.01, 1), documents), min_size=1
)


@given(*sizes, st.integers(0, 3))
def test_an_epoch_reads_each_window_once_cut_at_one_offset(
    num_tokens: int, seq_len: int, seed: int, epoch: int
) -> None:
    assume(num_tokens > seq_len)
    data = batches(num_tokens, seed=seed, seq_len=seq_len, batch_size=1)
    n = data.sources["all"].rows_per_epoch
    starts = []
    for row in range(epoch * n, (epoch + 1) * n):
        (inputs,), (targets,), _ = data.step(row)
        start = int(inputs[0]) - 1  # a token is its place + 1
        assert inputs.tolist() == list(range(start + 1, start + seq_len + 1))
        assert targets.tolist() == list(range(start + 2, start + seq_len + 2))
        starts.append(start)
    offset = min(starts)
    assert 0 <= offset < seq_len
    assert sorted(starts) == [offset + i * seq_len for i in range(n)]
    left_out = num_tokens - 1 - n * seq_len  # targets of the stream that no window of this epoch holds
    assert left_out < 2 * seq_len


@given(*sizes, st.integers(0, 40))
def test_one_source_is_cut_and_ordered_by_the_first_words_of_philox(
    num_tokens: int, seq_len: int, seed: int, row: int
) -> None:
    """The formula that runs before there were mixtures have used; a change would make them other runs."""
    assume(num_tokens > seq_len)
    targets = num_tokens - 1
    n = max(1, (targets - seq_len + 1) // seq_len)
    key = np.array([seed, row // n], dtype=np.uint64)
    cut, *ranks = np.random.Philox(key=key).random_raw(n + 1).tolist()
    window = sorted(range(n), key=ranks.__getitem__)[row % n]
    start = cut % min(seq_len, targets - n * seq_len + 1) + window * seq_len
    assert batches(num_tokens, seed=seed, seq_len=seq_len, batch_size=1).step(row).inputs_BT[0, 0] == start + 1


@settings(deadline=None)  # the first packing compiles
@given(mixtures, st.integers(1, 9), st.integers(0, 2**64 - 1), st.sampled_from(["concat", "best_fit"]), st.booleans())
def test_ranks_and_micro_batches_tile_the_step_and_batch_sizes_share_one_order(
    sources: dict[str, tuple[float, list[int]]], seq_len: int, seed: int, packing: str, mask: bool
) -> None:
    assume(packing == "best_fit" or all(sum(n + 1 for n in d) >= seq_len for _, d in sources.values()))
    options = {"seed": seed, "seq_len": seq_len, "packing": packing, "document_mask": mask}
    data, single = mixed(sources, batch_size=6, **options), mixed(sources, batch_size=1, **options)
    for step in (0, 7):
        whole = data.step(step)
        for num_parts in (1, 2, 3, 6):
            parts = [data.micro(step, part, num_parts) for part in range(num_parts)]
            for array, *pieces in zip(whole, *parts, strict=True):
                if array is None:
                    assert not mask and pieces == [None] * num_parts
                    continue
                assert array.dtype == np.int64 and array.shape == (6, seq_len)
                assert {len(piece) for piece in pieces} == {6 // num_parts}
                assert np.concatenate(pieces).tolist() == array.tolist()
        for row in range(6):
            alone = single.step(step * 6 + row)
            assert alone.inputs_BT.tolist() == [whole.inputs_BT[row].tolist()]
            assert alone.targets_BT.tolist() == [whole.targets_BT[row].tolist()]
        assert data.num_targets(step) == (whole.targets_BT != IGNORE_INDEX).sum()


def test_a_step_is_a_function_of_its_number_alone() -> None:
    sources = {"a": (0.7, [40, 3, 99, 7]), "b": (0.3, [5] * 9)}
    for packing in ("concat", "best_fit"):
        one, other = mixed(sources, packing=packing), mixed(sources, packing=packing)
        expected = {i: one.step(i) for i in range(60)}
        for i in np.random.default_rng(0).permutation(60).tolist():
            assert other.step(i).inputs_BT.tolist() == expected[i].inputs_BT.tolist()
            assert other.step(i).targets_BT.tolist() == expected[i].targets_BT.tolist()


def test_it_neither_reads_nor_moves_the_global_random_state() -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].tolist()
    first = batches(500, seed=5).step(77).inputs_BT.tolist()
    assert np.random.get_state()[1].tolist() == before
    np.random.seed(2)
    assert batches(500, seed=5).step(77).inputs_BT.tolist() == first


def test_seeds_and_epochs_cut_and_order_differently() -> None:
    drawn = {}
    for seed in range(20):
        data = batches(4001, seed=seed, seq_len=8, batch_size=1)
        for epoch in range(3):
            drawn[seed, epoch] = tuple(start for ((start, _),) in rows_of(data, "all", epoch))
    assert len(set(drawn.values())) == len(drawn)
    assert {min(starts) for starts in drawn.values()} == set(range(8))  # every offset comes up
    firsts = [starts[0] for starts in drawn.values()]
    assert abs(np.mean(firsts) - 2000) < 4 * 4000 / (12 * len(firsts)) ** 0.5  # and first rows come from everywhere


def test_only_the_rows_of_a_slice_are_read() -> None:
    data = batches(5000, seq_len=16, batch_size=8)
    before = data.store.read  # type: ignore[attr-defined]
    data.micro(3, 1, 4)
    assert data.store.read - before == 2 * 17  # type: ignore[attr-defined]


@pytest.mark.parametrize("packing", ["concat", "best_fit"])
def test_each_source_goes_through_its_own_text_in_an_order_of_its_own(packing: str) -> None:
    sources = {"a": (0.6, [50] * 40), "b": (0.3, [50] * 40), "c": (0.1, [17] * 20)}
    data = mixed(sources, packing=packing, seq_len=10, batch_size=7)
    bounds = {source.name: (source.start, source.stop) for source in data.store.sources}
    places = {
        name: [[(start - bounds[name][0], length) for start, length in row] for row in rows_of(data, name, 0)]
        for name in sources
    }
    assert places["a"] != places["b"]  # as long, and keyed apart
    fewer = mixed({"c": sources["c"], "a": sources["a"]}, packing=packing, seq_len=10, batch_size=7)
    start = fewer.store.sources[1].start
    assert [[(s - start, n) for s, n in row] for row in rows_of(fewer, "a", 0)] == places["a"]  # whoever is beside it
    read: dict[str, list[Any]] = {name: [] for name in sources}
    for step in range(200):
        for row in data.step(step).inputs_BT:
            first = int(row[row != 0][0]) - 1
            name = next(n for n, (start, stop) in bounds.items() if start <= first < stop)
            read[name].append([p - 1 for p in row.tolist()])
    for name, rows in read.items():
        turns = iter(rows)
        assert len(rows) > data.sources[name].rows_per_epoch
        for epoch in range(len(rows) // data.sources[name].rows_per_epoch + 1):
            for spans, row in zip(rows_of(data, name, epoch), turns, strict=False):
                text = [p for start, length in spans for p in range(start, start + length)]
                assert len(text) > 0 and all(a in (b, -1) for a, b in zip(row, text, strict=False))


@pytest.mark.parametrize(("packing", "tolerance"), [("concat", 0.0), ("best_fit", 0.01)])
def test_weights_are_shares_of_the_targets(packing: str, tolerance: float) -> None:
    """Also where the rows of one source hold fewer than those of another: one of 6 tokens takes 7 places of 10."""
    data = mixed({"full": (0.5, [9] * 60), "gaps": (0.5, [6] * 60)}, packing=packing, seq_len=10, batch_size=10)
    border = data.store.sources[0].stop
    counts: Counter[str] = Counter()
    for step in range(300):
        rows = data.step(step)
        for inputs, targets in zip(rows.inputs_BT, rows.targets_BT, strict=True):
            name = "full" if max(inputs) < border else "gaps"
            counts[name] += int((targets != IGNORE_INDEX).sum())
    total = sum(counts.values())
    assert counts["full"] / total == pytest.approx(0.5, abs=tolerance)
    assert total / (300 * 100) == pytest.approx(data.efficiency, abs=tolerance)
    expected = 1.0 if packing == "concat" else 1 / (0.5 + 0.5 * 10 / 7)
    assert data.efficiency == pytest.approx(expected, rel=1e-9)


def test_epochs_count_how_often_each_source_is_read() -> None:
    data = mixed({"large": (0.5, [99] * 40), "small": (0.5, [99] * 4)}, seq_len=10, batch_size=8)
    epochs, seen = data.epochs(100), Counter[int]()
    for step in range(100):
        seen.update(int(p) for p in data.step(step).inputs_BT.ravel())
    for source in data.store.sources:
        num_read = sum(n for p, n in seen.items() if source.start < p - 1 < source.stop - 1)
        assert epochs[source.name] == pytest.approx(num_read / (source.stop - source.start), rel=0.05)
    assert epochs["small"] == pytest.approx(400 / data.sources["small"].rows_per_epoch)
    assert data.epochs(0) == {"large": 0, "small": 0}


def test_text_behind_a_target_is_the_mean_of_the_sources_in_their_shares() -> None:
    store = TextStore({"a": (0.75, [9] * 10), "b": (0.25, [19] * 10)})
    store._bytes = np.array([30] * 10 + [200] * 10)
    data = TrainBatches(store, seed=0, seq_len=4, batch_size=4)  # type: ignore[arg-type]
    assert data.bytes_per_target == pytest.approx(0.75 * 30 / 10 + 0.25 * 200 / 20)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"num_tokens": 8, "seq_len": 8}, "the train split has 7 targets, too few for one window of seq_len=8"),
        ({"num_tokens": 9, "seed": -1}, "seed=-1: expected an integer from 0 to 2**64 - 1"),
        ({"num_tokens": 9, "seq_len": 0}, "seq_len=0 and batch_size=4: both must be at least 1"),
    ],
)
def test_refused(arguments: dict[str, int], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        batches(**arguments)


@pytest.mark.parametrize(
    ("small", "options", "text"),
    [
        ([3], {}, "the source 'small' has 4 targets, too few for one window of seq_len=6"),
        ([], {"packing": "best_fit"}, "the source 'small' has no documents"),
        (
            [30],
            {"packing": "best-fit"},
            "packing='best-fit': expected one of concat, best_fit; did you mean 'best_fit'?",
        ),
    ],
)
def test_a_source_too_small_is_named(small: list[int], options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        mixed({"large": (0.9, [99]), "small": (0.1, small)}, seq_len=6, **options)


def test_slices_that_do_not_divide_the_batch() -> None:
    with pytest.raises(ValueError, match=r"^num_parts=3 \(devices x accumulate\) must divide batch_size=4$"):
        batches(50).micro(0, 0, 3)
    with pytest.raises(ValueError, match=r"^part 2 is not in \[0, 2\)$"):
        batches(50).micro(0, 2, 2)
