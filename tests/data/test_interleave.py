from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zoo.data.interleave import Interleave

weight = st.floats(1e-6, 1) | st.integers(1, 9) | st.sampled_from([0.5**k for k in range(12)])
# each level adds 1/2, over levels that shrink as Fibonacci's numbers: half the sum of their reciprocals
BOUND = {1: Fraction(0), 2: Fraction(1, 2), 3: Fraction(1)}
ANY_NUMBER = sum(Fraction(1, f) for f in (1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233)) / 2 + Fraction(1, 100)


@given(st.lists(weight, min_size=1, max_size=8), st.integers(1, 300))
@example([0.5, 0.25, 0.25 - 1e-6, 1e-6], 300)
def test_each_source_has_its_share_of_every_stretch_from_the_start(weights: list[float], num_rows: int) -> None:
    exact = [Fraction(w) for w in weights]
    order, counts = Interleave(exact), [0] * len(exact)
    for row in range(num_rows):
        source, turn = order.place(row)
        assert turn == counts[source]  # the rows of a source are counted without a gap
        counts[source] += 1
        assert order.counts(row + 1) == counts
        for count, w in zip(counts, exact, strict=True):
            assert abs(count - (row + 1) * w / sum(exact)) <= BOUND.get(len(exact), ANY_NUMBER)


@given(st.lists(weight, min_size=1, max_size=8), st.integers(10**9, 10**15))
def test_far_rows_keep_to_the_shares_and_cost_no_walk_from_the_start(weights: list[float], row: int) -> None:
    exact = [Fraction(w) for w in weights]
    order = Interleave(exact)
    source, turn = order.place(row)
    before, after = order.counts(row), order.counts(row + 1)
    assert turn == before[source]
    assert [b - a for a, b in zip(before, after, strict=True)] == [int(i == source) for i in range(len(exact))]
    for count, w in zip(before, exact, strict=True):
        assert abs(count - row * w / sum(exact)) <= BOUND.get(len(exact), ANY_NUMBER)


@pytest.mark.parametrize(("weights", "expected"), [([1, 1], "abab"), ([3, 1], "aabaaaba")])
def test_two_sources_alternate_as_evenly_as_they_can(weights: list[int], expected: str) -> None:
    order = Interleave([Fraction(w) for w in weights])
    found = "".join("ab"[order.place(row)[0]] for row in range(len(expected)))
    gaps = [i for i, name in enumerate(found) if name == "b"]
    assert found.count("b") == len(expected) * weights[1] // sum(weights)
    assert {b - a for a, b in pairwise(gaps)} == {sum(weights) // weights[1]}
