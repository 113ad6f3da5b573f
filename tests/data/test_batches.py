from __future__ import annotations

import re

import numpy as np
import pytest
from data_doubles import ArrayStore
from hypothesis import assume, given
from hypothesis import strategies as st

from zoo.data import TrainBatches


def batches(num_tokens: int, *, seed: int = 0, seq_len: int = 4, batch_size: int = 4) -> TrainBatches:
    store = ArrayStore([num_tokens - 2])  # the first end-of-text, one document, its end-of-text
    return TrainBatches(store, seed=seed, seq_len=seq_len, batch_size=batch_size)  # type: ignore[arg-type]


sizes = st.integers(2, 90), st.integers(1, 9), st.integers(0, 2**64 - 1)


@given(*sizes, st.integers(0, 3))
def test_an_epoch_reads_each_window_once_cut_at_one_offset(
    num_tokens: int, seq_len: int, seed: int, epoch: int
) -> None:
    assume(num_tokens > seq_len)
    data = batches(num_tokens, seed=seed, seq_len=seq_len, batch_size=1)
    n = data.windows_per_epoch
    starts = []
    for row in range(epoch * n, (epoch + 1) * n):
        (tokens,) = data.step(row)
        assert tokens.tolist() == list(
            range(tokens[0], tokens[0] + seq_len + 1)
        )  # contiguous: a token is its place + 1
        starts.append(int(tokens[0]) - 1)
    offset = min(starts)
    assert 0 <= offset < seq_len
    assert sorted(starts) == [offset + i * seq_len for i in range(n)]
    left_out = num_tokens - 1 - n * seq_len  # targets of the stream that no window of this epoch holds
    assert left_out < 2 * seq_len


@given(*sizes, st.integers(1, 6), st.integers(0, 5))
def test_the_order_is_the_same_for_every_batch_size(
    num_tokens: int, seq_len: int, seed: int, batch_size: int, step: int
) -> None:
    assume(num_tokens > seq_len)
    data = batches(num_tokens, seed=seed, seq_len=seq_len, batch_size=batch_size)
    single = batches(num_tokens, seed=seed, seq_len=seq_len, batch_size=1)
    rows = [single.step(step * batch_size + b)[0] for b in range(batch_size)]
    assert data.step(step).tolist() == np.stack(rows).tolist()
    assert data.step(step).dtype == np.int64 and data.step(step).shape == (batch_size, seq_len + 1)


@given(*sizes, st.sampled_from([(4, 1), (4, 2), (6, 3), (5, 5)]), st.integers(0, 9))
def test_slices_tile_the_step(
    num_tokens: int, seq_len: int, seed: int, batch_and_parts: tuple[int, int], step: int
) -> None:
    assume(num_tokens > seq_len)
    batch_size, num_parts = batch_and_parts
    data = batches(num_tokens, seed=seed, seq_len=seq_len, batch_size=batch_size)
    parts = [data.micro(step, part, num_parts) for part in range(num_parts)]
    assert {len(part) for part in parts} == {batch_size // num_parts}
    assert np.concatenate(parts).tolist() == data.step(step).tolist()


def test_a_step_is_a_function_of_its_number_alone() -> None:
    one, other = batches(500), batches(500)
    expected = {i: one.step(i).tolist() for i in range(100)}
    for i in np.random.default_rng(0).permutation(100).tolist():
        assert other.step(i).tolist() == expected[i]


def test_it_neither_reads_nor_moves_the_global_random_state() -> None:
    np.random.seed(1)
    before = np.random.get_state()[1].tolist()
    first = batches(500, seed=5).step(77).tolist()
    assert np.random.get_state()[1].tolist() == before
    np.random.seed(2)
    assert batches(500, seed=5).step(77).tolist() == first


def test_seeds_and_epochs_cut_and_order_differently() -> None:
    drawn = {}
    for seed in range(20):
        data = batches(4001, seed=seed, seq_len=8, batch_size=1)
        n = data.windows_per_epoch
        for epoch in range(3):
            drawn[seed, epoch] = tuple(data.window_starts(epoch * n, n))
    assert len(set(drawn.values())) == len(drawn)
    assert {min(starts) for starts in drawn.values()} == set(range(8))  # every offset comes up
    firsts = [starts[0] for starts in drawn.values()]
    assert abs(np.mean(firsts) - 2000) < 4 * 4000 / (12 * len(firsts)) ** 0.5  # and first rows come from everywhere


def test_only_the_rows_of_a_slice_are_read() -> None:
    data = batches(5000, seq_len=16, batch_size=8)
    before = data.store.read  # type: ignore[attr-defined]
    data.micro(3, 1, 4)
    assert data.store.read - before == 2 * 17  # type: ignore[attr-defined]


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


def test_slices_that_do_not_divide_the_batch() -> None:
    with pytest.raises(ValueError, match=r"^num_parts=3 \(devices x accumulate\) must divide batch_size=4$"):
        batches(50).micro(0, 0, 3)
    with pytest.raises(ValueError, match=r"^part 2 is not in \[0, 2\)$"):
        batches(50).micro(0, 2, 2)
