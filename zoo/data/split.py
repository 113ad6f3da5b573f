"""Which documents are trained on and which are held out: decided by the text itself.

A document's split is a function of sha256 of its text, so no document is in two splits, duplicates land together, and a
document stays where it is when the corpus around it grows.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Literal

Split = Literal["train", "validation", "test"]
Shares = tuple[float, float, float]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
DEFAULT_SHARES: Shares = (0.9, 0.05, 0.05)
MIN_DOCUMENTS = 30  # under these a figure says more of which documents it met than of the model
MIN_BYTES = 50_000


def split_of(text: str, shares: Shares = DEFAULT_SHARES) -> Split:
    """The split of a document.

    Args:
        text: the document.
        shares: of train, validation and test, of documents; 0 leaves the test split empty.

    Raises:
        ValueError: the shares are no shares.
    """
    check_shares(shares)
    return split_at(document_digest(text.encode()), shares)


def document_digest(data: bytes) -> int:
    """The first 64 bits of sha256 over a document's UTF-8: what decides its split, and its place in a mixture's."""
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big")


def split_at(digest: int, shares: Shares) -> Split:
    """The split of a document with this digest."""
    train, validation, test = shares
    point = digest / 2**64
    if point < train:
        return "train"
    return "validation" if point < train + validation or test == 0 else "test"


def check_shares(shares: Shares) -> None:
    """Raises:
    ValueError: not three numbers that sum to 1, or nothing to train or to validate on.
    """
    came = f"split={list(shares)}"
    if len(shares) != len(SPLITS):
        raise ValueError(f"{came}: expected three shares, of {', '.join(SPLITS)}")
    if not all(0 <= share <= 1 for share in shares) or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        raise ValueError(f"{came}: expected shares from 0 to 1 that sum to 1, got a sum of {sum(shares):g}")
    if shares[0] == 0 or shares[1] == 0:
        raise ValueError(f"{came}: the shares of train and validation must be above 0")


def check_sizes(
    num_documents: dict[Split, int], num_bytes: dict[Split, int], shares: Shares, cures: Sequence[str] = ()
) -> None:
    """Look whether every split that is wanted is large enough for its figures to mean anything.

    Args:
        num_documents, num_bytes: of each split.
        shares: of train, validation and test.
        cures: what may help, for the error.

    Raises:
        ValueError: one is too small.
    """
    small = [
        f"{split} has {num_documents[split]:,} documents and {num_bytes[split]:,} bytes"
        for split, share in zip(SPLITS, shares, strict=True)
        if share > 0 and (num_documents[split] < MIN_DOCUMENTS or num_bytes[split] < MIN_BYTES)
    ]
    if small:
        parts = ", ".join(f"{split} {share:.4g}" for split, share in zip(SPLITS, shares, strict=True) if share > 0)
        raise ValueError(
            f"too little text: {', '.join(small)}, expected at least {MIN_DOCUMENTS} documents and {MIN_BYTES:,} "
            f"bytes in each split (shares of the documents: {parts}); "
            f"{'; '.join([*cures, 'give the corpus more text'])}"
        )
