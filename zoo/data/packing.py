"""How a source's text becomes rows of at most seq_len targets, in an order drawn anew for each epoch.

`concat`: the stream is cut into windows of seq_len targets, wherever documents begin and end, at an offset drawn per
epoch. No place is lost, and most documents are cut.
`best_fit`: only documents longer than a row are cut, into rows of their own and a rest; documents and rests are packed
whole, longest first, each into the fullest row that still has room. What stays free at the end of rows is padding.
Source: Ding et al. 2024, "Fewer Truncations Improve Language Modeling", arXiv 2404.10830.

A row is a list of spans. A span (start, length) of the stream reads tokens start ... start + length - 1 and predicts
start + 1 ... start + length: a document's begins with the end-of-text before it and predicts the one that closes it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal, TypeVar, get_args

import numpy as np

Packing = Literal["concat", "best_fit"]
PACKINGS: tuple[Packing, ...] = get_args(Packing)
Span = tuple[int, int]
Ids = TypeVar("Ids", bound=Any)  # an array or a tensor


class SourceRows(ABC):
    """Rows of one source, epoch after epoch without end.

    Args:
        seed, source: key the order.

    Attributes:
        rows_per_epoch: rows after which the text comes again, in another order.
        targets_per_epoch: that these rows hold.
    """

    rows_per_epoch: int
    targets_per_epoch: int

    def __init__(self, seed: int, source: int):
        self._key = (seed, source)
        self._orders: dict[int, tuple[int, np.ndarray]] = {}

    @abstractmethod
    def spans(self, row: int) -> list[Span]:
        """What a row holds, in order."""

    @abstractmethod
    def num_targets(self, row: int) -> int:
        """How many of its places are no padding."""

    def _place(self, row: int, num_offsets: int) -> tuple[int, int]:
        """(offset of the row's epoch, which of the epoch's rows it is)."""
        epoch, turn = divmod(row, self.rows_per_epoch)
        if epoch not in self._orders:
            while len(self._orders) > 1:  # a step can span two epochs
                del self._orders[next(iter(self._orders))]
            self._orders[epoch] = draw_order(*self._key, epoch, self.rows_per_epoch, num_offsets)
        offset, order = self._orders[epoch]
        return offset, int(order[turn])


class Windows(SourceRows):
    """`concat`.

    Args:
        seed, source: key the order.
        start, stop: of the source in the stream.
        seq_len: targets of a row.

    Raises:
        ValueError: the text does not fill one window.
    """

    def __init__(self, seed: int, source: int, start: int, stop: int, seq_len: int):
        super().__init__(seed, source)
        num_targets = stop - start - 1
        if num_targets < seq_len:
            raise ValueError(f"has {num_targets:,} targets, too few for one window of {seq_len=}")
        self._start, self._seq_len = start, seq_len
        # Any offset in [0, seq_len) leaves this many whole windows, so that epochs are equally long and a row is found
        # by one division. A stream of hardly more than one window still gives that one.
        self.rows_per_epoch = max(1, (num_targets - seq_len + 1) // seq_len)
        self.targets_per_epoch = self.rows_per_epoch * seq_len
        self._num_offsets = min(seq_len, num_targets - self.targets_per_epoch + 1)

    def spans(self, row: int) -> list[Span]:
        offset, window = self._place(row, self._num_offsets)
        return [(self._start + offset + window * self._seq_len, self._seq_len)]

    def num_targets(self, row: int) -> int:
        return self._seq_len


class PackedRows(SourceRows):
    """`best_fit`. Which documents share a row is the same in every epoch; the order of the rows is not. Within a row
    they stand as in the stream, so that short ones are not always last.

    Args:
        seed, source: key the order.
        start: of the source in the stream.
        ends: int64 [num_documents]: one past the end-of-text that closes each of its documents.
        seq_len: targets of a row, at most.

    Raises:
        ValueError: there are no documents.
    """

    def __init__(self, seed: int, source: int, start: int, ends: np.ndarray, seq_len: int):
        super().__init__(seed, source)
        if not len(ends):
            raise ValueError("has no documents")
        edges = np.concatenate([[start], ends - 1])
        starts, lengths = _cut(edges[:-1], np.diff(edges), seq_len)
        row_of_span = best_fit(lengths, seq_len)
        order = np.argsort(row_of_span, kind="stable")
        self._starts, self._lengths = starts[order], lengths[order]
        self._firsts = np.concatenate([[0], np.cumsum(np.bincount(row_of_span))])  # of each row, among the spans
        self._num_targets = np.add.reduceat(self._lengths, self._firsts[:-1])
        self.rows_per_epoch = len(self._num_targets)
        self.targets_per_epoch = int(edges[-1] - edges[0])

    def spans(self, row: int) -> list[Span]:
        _, packed = self._place(row, 1)
        first, stop = self._firsts[packed : packed + 2].tolist()
        return list(zip(self._starts[first:stop].tolist(), self._lengths[first:stop].tolist(), strict=True))

    def num_targets(self, row: int) -> int:
        return int(self._num_targets[self._place(row, 1)[1]])


def best_fit(lengths: np.ndarray, capacity: int) -> np.ndarray:
    """Best-fit-decreasing bin packing: the row of each item, int64 [num_items]; rows count from 0 in the order in which
    they are opened. Equally long items go in the order given; of equally full rows, the one filled last takes the next.

    Args:
        lengths: of the items, from 1 to `capacity`.
        capacity: of a row.
    """
    from zoo.data._best_fit import pack_decreasing  # numba takes a while to import, and only this packing needs it

    narrow = np.min_scalar_type(capacity)  # numpy sorts 16 bits by radix
    order = np.argsort((capacity - lengths).astype(narrow), kind="stable")
    row_of_item = np.empty(len(lengths), dtype=np.int64)
    row_of_item[order] = pack_decreasing(lengths[order], capacity)
    return row_of_item


def documents_of(inputs_BT: Ids, end_of_text: int) -> Ids:
    """Which document of its row each token is of, from 0: documents_BT. An end-of-text opens a document, whose first
    token is predicted from it; tokens before the first one end a document that began earlier."""
    return (inputs_BT == end_of_text).cumsum(1)


def mean_context_within_documents(ends: np.ndarray, seq_len: int, stride: int) -> float:
    """Tokens that a target is predicted from, on average, where scoring windows slide and attention stays within
    documents: back to the start of its window or to the end-of-text that opens its document, whichever is nearer.

    Args:
        ends: int64 [num_documents]: one past the end-of-text that closes each scored document.
        seq_len, stride: of `zoo.data.ScoringWindows`.
    """
    targets = np.arange(1, ends[-1])
    window_starts = np.maximum(0, -(-(targets - seq_len) // stride)) * stride
    opens = np.concatenate([[0], ends - 1])
    opened = opens[np.searchsorted(opens, targets, side="left") - 1]
    return float((targets - np.maximum(window_starts, opened)).mean())


def draw_order(seed: int, source: int, epoch: int, num_rows: int, num_offsets: int) -> tuple[int, np.ndarray]:
    """(offset below num_offsets, permutation of the rows) of an epoch. Raw Philox words, which numpy promises to keep;
    the methods of its Generator may change between versions."""
    key = np.array([seed, epoch], dtype=np.uint64)
    philox = np.random.Philox(key=key, counter=np.array([0, 0, 0, source], dtype=np.uint64))
    words = philox.random_raw(num_rows + 1)
    return int(words[0] % np.uint64(num_offsets)), np.argsort(words[1:], kind="stable")


def _cut(starts: np.ndarray, lengths: np.ndarray, seq_len: int) -> tuple[np.ndarray, np.ndarray]:
    """(starts, lengths) of the pieces of at most seq_len that documents come in, in their order."""
    num_pieces = -(-lengths // seq_len)
    document = np.repeat(np.arange(len(lengths)), num_pieces)
    first_piece = np.cumsum(num_pieces) - num_pieces
    done = (np.arange(len(document)) - first_piece[document]) * seq_len
    return starts[document] + done, np.minimum(lengths[document] - done, seq_len)
