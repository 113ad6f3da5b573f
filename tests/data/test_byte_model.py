"""The byte model as a code: its probabilities sum to one, and a decoder reads back what an encoder wrote."""

from __future__ import annotations

import math
from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.byte_model import END, byte_costs, end_probability, spelled, symbol_bits, total_bits

PIECES = st.lists(st.binary(max_size=6), max_size=6)
COUNTS = st.lists(st.integers(0, 10**6), min_size=256, max_size=256)


def bits_of(pieces: list[bytes], costs: np.ndarray, end: float) -> float:
    return float(total_bits(*(np.array([value]) for value in spelled(pieces, costs)), end)[0])


def test_the_exact_amount_by_hand() -> None:
    counts = np.bincount([*b"aaab"], minlength=256)
    costs = byte_costs(counts)
    end = end_probability(num_pieces=1, num_bytes=2)  # "ab" was lost in training
    assert end == 2 / 5
    a, b, z, stop = (3 / 5) * 4 / 260, (3 / 5) * 2 / 260, (3 / 5) * 1 / 260, 2 / 5
    expected = -math.log2(a * b * stop * z * stop)
    assert bits_of([b"ab", b"z"], costs, end) == pytest.approx(expected, abs=2**-20)
    assert bits_of([], costs, end) == 0


@given(COUNTS, st.integers(0, 10**9), st.integers(0, 10**9))
def test_it_is_a_distribution_over_257_symbols_and_gives_each_something(
    counts: list[int], num_pieces: int, num_bytes: int
) -> None:
    bits = symbol_bits(byte_costs(np.array(counts)), end_probability(num_pieces, num_bytes))
    assert bits.shape == (257,)
    assert math.fsum(2.0**-bits) == pytest.approx(1, rel=1e-9)
    assert np.isfinite(bits).all() and (bits > 0).all()


@given(PIECES, COUNTS)
def test_a_document_costs_what_its_symbols_cost(pieces: list[bytes], counts: list[int]) -> None:
    costs, end = byte_costs(np.array(counts)), end_probability(7, 31)
    bits = symbol_bits(costs, end)
    exact = math.fsum(bits[symbol] for piece in pieces for symbol in [*piece, END])
    found = bits_of(pieces, costs, end)
    assert exact - 1e-9 <= found <= exact + 2**-20 + 1e-9
    assert (found * 2**20).is_integer()


@settings(max_examples=40, deadline=None)
@given(PIECES)
def test_a_decoder_that_knows_the_model_and_the_ids_reads_the_pieces_back(pieces: list[bytes]) -> None:
    """Arithmetic coding with exact fractions; the ids tell how many pieces there are, and nothing more is sent."""
    counts, num_pieces, num_bytes = np.bincount([*b"hand-made text"], minlength=256), 3, 5
    end = Fraction(num_pieces + 1, num_bytes + num_pieces + 2)
    shares = [(1 - end) * Fraction(int(n) + 1, int(counts.sum()) + 256) for n in counts] + [end]
    *starts, whole = accumulate(shares, initial=Fraction(0))
    assert whole == 1

    low, width = Fraction(0), Fraction(1)
    for symbol in [symbol for piece in pieces for symbol in [*piece, END]]:
        low, width = low + width * starts[symbol], width * shares[symbol]
    num_bits = 0
    while Fraction(-(-low.numerator * 2**num_bits // low.denominator) + 1, 2**num_bits) > low + width:
        num_bits += 1
    code = -(-low.numerator * 2**num_bits // low.denominator)  # any number that begins so is in the interval
    charged = bits_of(pieces, byte_costs(counts), end_probability(num_pieces, num_bytes))
    assert charged - 1e-5 <= num_bits <= charged + 2 or not pieces

    value, read = Fraction(code, 2**num_bits), []
    while len(read) < len(pieces):
        piece = bytearray()
        while True:
            symbol = bisect_right(starts, value) - 1
            value = (value - starts[symbol]) / shares[symbol]
            if symbol == END:
                break
            piece.append(symbol)
        read.append(bytes(piece))
    assert read == pieces


@given(st.lists(PIECES, min_size=1, max_size=12), st.randoms())
def test_sums_over_documents_are_exact_in_any_order(documents: list[list[bytes]], draw: object) -> None:
    costs, end = byte_costs(np.bincount([*b"some text"], minlength=256)), end_probability(2, 9)
    bits = [bits_of(pieces, costs, end) for pieces in documents]
    shuffled = list(bits)
    draw.shuffle(shuffled)  # type: ignore[attr-defined]
    assert sum(bits) == sum(shuffled) == math.fsum(bits) == float(np.array(bits).sum())


def test_a_training_split_that_loses_nothing_leaves_a_finite_price() -> None:
    """Every word of it is in the vocabulary, and validation has one that is not."""
    costs = byte_costs(np.zeros(256, dtype=np.int64))
    assert bits_of([b"x"], costs, end_probability(0, 0)) == pytest.approx(8 + 1 + 1)
