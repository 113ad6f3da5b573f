"""What is trained on at each step: a pure function of (store, seed, step), so there is no state that could drift.

Row g of the whole run is of the source that `Interleave` gives it, and the k-th of that source's own rows, which go
through the source's text epoch after epoch (`zoo.data.packing`); step i of a batch of B takes the rows i B ...
(i + 1) B - 1. So every arm with the same tokens, seq_len and packing sees the same text in the same order, whatever its
batch size, and a source's own order does not depend on the sources beside it.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from zoo.data.interleave import Interleave
from zoo.data.packing import PACKINGS, PackedRows, Packing, SourceRows, Windows, documents_of
from zoo.data.store import StoredSource, TokenStore
from zoo.wording import nearest

_ROWS_AT_A_TIME = 256


class Rows(NamedTuple):
    """Training sequences, int64.

    Attributes:
        inputs_BT: tokens that are read; padding is end-of-text.
        targets_BT: the token after each; IGNORE_INDEX at padding.
        documents_BT: which document of its row each input is of, from 0, padding one of its own; None where attention
            may cross documents.
    """

    inputs_BT: np.ndarray
    targets_BT: np.ndarray
    documents_BT: np.ndarray | None


class TrainBatches:
    """Batches of the train split.

    A source's weight is its share of the targets: rows that hold fewer, as packed ones may, are drawn more often.

    Args:
        store: the tokens.
        seed: keys the order.
        seq_len: positions of a row: its targets, but for padding.
        batch_size: rows of one optimizer step, over all devices and micro-batches.
        packing: how documents become rows.
        document_mask: tell which document each token is of, so that attention can stay within it.

    Attributes:
        sources: rows of each source, by name.
        efficiency: share of all positions that are targets; 1 unless rows are padded.

    Raises:
        ValueError: a source does not fill one row, or an argument is out of range.
    """

    def __init__(
        self,
        store: TokenStore,
        *,
        seed: int,
        seq_len: int,
        batch_size: int,
        packing: Packing = "concat",
        document_mask: bool = False,
    ):
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed={seed}: expected an integer from 0 to 2**64 - 1")
        if seq_len < 1 or batch_size < 1:
            raise ValueError(f"seq_len={seq_len} and batch_size={batch_size}: both must be at least 1")
        if packing not in PACKINGS:
            raise ValueError(f"packing={packing!r}: expected one of {', '.join(PACKINGS)}{nearest(packing, PACKINGS)}")
        self.store, self.seed, self.seq_len, self.batch_size = store, seed, seq_len, batch_size
        self.packing, self.document_mask = packing, document_mask
        self.sources = {source.name: self._source_rows(source) for source in store.sources}
        self._rows = list(self.sources.values())
        # a share of targets is one of rows over the mean targets of a row
        shares = [
            Fraction(source.weight) * rows.rows_per_epoch / rows.targets_per_epoch
            for source, rows in zip(store.sources, self._rows, strict=True)
        ]
        self._interleave = Interleave(shares)
        weights = sum(Fraction(source.weight) for source in store.sources)
        self.efficiency = float(weights / sum(shares) / seq_len)

    def step(self, i: int) -> Rows:
        """Optimizer step i, whole: [batch_size, seq_len]."""
        return self._read(i * self.batch_size, self.batch_size)

    def micro(self, i: int, part: int, num_parts: int) -> Rows:
        """One of `num_parts` equal slices of the rows of step i: [batch_size / num_parts, seq_len].

        Raises:
            ValueError: the batch cannot be cut into so many equal parts.
        """
        size = self.micro_size(num_parts)
        if not 0 <= part < num_parts:
            raise ValueError(f"part {part} is not in [0, {num_parts})")
        return self._read(i * self.batch_size + part * size, size)

    def micro_size(self, num_parts: int) -> int:
        """Rows of each of `num_parts` slices.

        Raises:
            ValueError: the batch cannot be cut into so many equal parts.
        """
        if num_parts < 1 or self.batch_size % num_parts:
            raise ValueError(f"num_parts={num_parts} (devices x accumulate) must divide batch_size={self.batch_size}")
        return self.batch_size // num_parts

    def num_targets(self, i: int) -> int:
        """Targets of the whole of step i, over all devices and micro-batches."""
        if self.packing == "concat":
            return self.batch_size * self.seq_len
        places = [self._interleave.place(row) for row in range(i * self.batch_size, (i + 1) * self.batch_size)]
        return sum(self._rows[source].num_targets(turn) for source, turn in places)

    def epochs(self, num_steps: int) -> dict[str, float]:
        """How often each source is read in so many steps."""
        counts = self._interleave.counts(num_steps * self.batch_size)
        return {
            name: count / rows.rows_per_epoch for (name, rows), count in zip(self.sources.items(), counts, strict=True)
        }

    def documents(self, num_rows: int) -> dict[int, float]:
        """How many documents of each length, in tokens, a row holds, as the mean over the first rows; padding is none.

        Args:
            num_rows: to look at.
        """
        from zoo.heads.base import IGNORE_INDEX

        counts = np.zeros(self.seq_len + 1, dtype=np.int64)
        for first in range(0, num_rows, _ROWS_AT_A_TIME):
            rows = self._read(first, min(_ROWS_AT_A_TIME, num_rows - first))
            documents_BT = rows.documents_BT
            if documents_BT is None:
                documents_BT = documents_of(rows.inputs_BT, self.store.tokenizer.end_of_text)
            apart = documents_BT + (self.seq_len + 1) * np.arange(len(documents_BT))[:, None]
            _, lengths = np.unique(apart[rows.targets_BT != IGNORE_INDEX], return_counts=True)
            counts += np.bincount(lengths, minlength=len(counts))
        return {int(length): counts[length] / num_rows for length in np.flatnonzero(counts)}

    @property
    def bytes_per_target(self) -> float:
        """Mean text behind a target, the sources in their shares."""
        if len(self.store.sources) == 1:
            return self.store.bytes_per_token
        document_bytes, mean, total = self.store.document_bytes("train"), 0.0, 0.0
        for source in self.store.sources:
            num_bytes = int(document_bytes[self._documents(source)].sum())
            mean += source.weight * num_bytes / (source.stop - source.start - 1)
            total += source.weight
        return mean / total

    def _source_rows(self, source: StoredSource) -> SourceRows:
        alone = len(self.store.sources) == 1
        key = 0 if alone else int.from_bytes(hashlib.sha256(source.name.encode()).digest()[:8], "big")
        try:
            if self.packing == "concat":
                return Windows(self.seed, key, source.start, source.stop, self.seq_len)
            ends = self.store.document_ends("train")[self._documents(source)]
            return PackedRows(self.seed, key, source.start, ends, self.seq_len)
        except ValueError as error:
            raise ValueError(f"{'the train split' if alone else f'the source {source.name!r}'} {error}") from error

    def _documents(self, source: StoredSource) -> slice:
        """Which documents of the train split are of a source."""
        ends = self.store.document_ends("train")
        first, stop = np.searchsorted(ends, [source.start + 1, source.stop], side="right")
        return slice(int(first), int(stop))

    def _read(self, first_row: int, num_rows: int) -> Rows:
        from zoo.heads.base import IGNORE_INDEX  # here, as processes that only encode import this package without torch

        tokens, end_of_text = self.store.tokens, self.store.tokenizer.end_of_text
        shape, seq_len = (num_rows, self.seq_len), self.seq_len
        inputs_BT, targets_BT = np.empty(shape, dtype=np.int64), np.empty(shape, dtype=np.int64)
        # a packed row may go on with the rest of a document, which no end-of-text opens; a window cannot
        numbered = self.document_mask and self.packing == "best_fit"
        documents_BT = np.empty(shape, dtype=np.int64) if numbered else None
        for row in range(num_rows):
            source, turn = self._interleave.place(first_row + row)
            inputs_T, targets_T, done, number = inputs_BT[row], targets_BT[row], 0, 0
            for start, length in self._rows[source].spans(turn):
                read, stop = tokens("train", start, start + length + 1), done + length
                inputs_T[done:stop], targets_T[done:stop] = read[:-1], read[1:]
                if documents_BT is not None:
                    documents_BT[row, done:stop] = number
                done, number = stop, number + 1
            if done < seq_len:
                inputs_T[done:], targets_T[done:] = end_of_text, IGNORE_INDEX
                if documents_BT is not None:
                    documents_BT[row, done:] = number
        if self.document_mask and not numbered:
            documents_BT = documents_of(inputs_BT, end_of_text)
        return Rows(inputs_BT, targets_BT, documents_BT)
