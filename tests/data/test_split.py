from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.split import SPLITS, check_sizes, split_of


@given(st.text(max_size=20), st.integers(1, 98), st.integers(1, 98))
def test_the_split_is_where_the_hash_falls_among_the_shares(text: str, train: int, validation: int) -> None:
    """Reference: integers only, at most one 2**-60 of rounding away from a border."""
    if train + validation > 100:
        train, validation = 100 - validation, 100 - train
    shares = (train / 100, validation / 100, (100 - train - validation) / 100)
    place = int(hashlib.sha256(text.encode()).hexdigest()[:16], 16) * 100  # of 100 * 2**64
    expected = "train" if place < train << 64 else "validation" if place < (train + validation) << 64 else "test"
    assert split_of(text, shares) == expected


def test_shares_come_out_as_asked() -> None:
    splits = [split_of(f"document {i}", (0.7, 0.2, 0.1)) for i in range(10_000)]
    for name, share in zip(SPLITS, (0.7, 0.2, 0.1), strict=True):
        assert abs(splits.count(name) / 10_000 - share) < 4 * (share * (1 - share) / 10_000) ** 0.5, name


def test_no_share_no_document() -> None:
    assert {split_of(str(i), (0.5, 0.5, 0.0)) for i in range(200)} == {"train", "validation"}


@pytest.mark.parametrize(
    ("shares", "text"),
    [
        ((0.5, 0.5), "split=[0.5, 0.5]: expected three shares, of train, validation, test"),
        ((0.9, 0.2, 0.1), "split=[0.9, 0.2, 0.1]: expected shares from 0 to 1 that sum to 1, got a sum of 1.2"),
        ((1.2, -0.1, -0.1), "split=[1.2, -0.1, -0.1]: expected shares from 0 to 1 that sum to 1, got a sum of 1"),
        ((1.0, 0.0, 0.0), "split=[1.0, 0.0, 0.0]: the shares of train and validation must be above 0"),
        ((float("nan"), 0.5, 0.5), "split=[nan, 0.5, 0.5]: expected shares from 0 to 1"),
    ],
)
def test_shares_that_are_none(shares: tuple[float, ...], text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        split_of("a", shares)  # type: ignore[arg-type]


def test_small_splits_are_refused_with_their_numbers() -> None:
    documents, sizes = (
        {"train": 500, "validation": 29, "test": 31},
        {"train": 10**6, "validation": 10**6, "test": 49999},
    )
    text = (
        "too little text: validation has 29 documents and 1,000,000 bytes, test has 31 documents and 49,999 bytes, "
        "expected at least 30 documents and 50,000 bytes in each split (shares of the documents: train 0.9, validation "
        "0.05, test 0.05); "
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}give the corpus more text$"):
        check_sizes(documents, sizes, (0.9, 0.05, 0.05))
    with pytest.raises(ValueError, match=f"^{re.escape(text)}do this; give the corpus more text$"):
        check_sizes(documents, sizes, (0.9, 0.05, 0.05), ["do this"])


def test_a_split_of_no_share_may_be_empty() -> None:
    check_sizes(
        {"train": 30, "validation": 30, "test": 0}, {"train": 50_000, "validation": 50_000, "test": 0}, (0.5, 0.5, 0)
    )
