"""What is scored: every token of the text as a target exactly once, in windows that slide by a stride.

Window 0 reads tokens 0 ... seq_len - 1 and scores all its targets. Window k > 0 starts at k stride and scores its last
`stride` targets only, so each of them has at least seq_len - stride + 1 tokens of context. With stride = seq_len the
windows do not overlap: cheap, and short of context at each window's start; a smaller stride costs seq_len / stride
times as much.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from zoo.data.split import Split
from zoo.data.store import TokenStore


class ScoringWindows:
    """Batches that score a split, or the longest prefix of its whole documents within `max_bytes`.

    The first token of a document is predicted from the end-of-text before it; the end-of-text that closes it is a
    target too: its nats count, and it has no bytes. The bytes of a document are booked on the batch that scores its
    closing end-of-text, so that the batches sum to exactly the bytes of the documents; likewise the bits to spell what
    a lossy tokenizer lost of it. Which documents are scored depends on their bytes alone: they are the same for every
    tokenizer.

    A batch is `inputs_BT` and `targets_BT` (int64; targets that are not scored are IGNORE_INDEX), `num_bytes` (int) and
    `lost_bits` (float). All batches have the same shape; what is left over is filled with end-of-text and not scored.

    Args:
        store: the tokens.
        split: which of its splits.
        seq_len: tokens of a window.
        stride: tokens that a window advances by, from 1 to seq_len.
        max_bytes: limit of the text; at least one document is scored. None: the whole split.
        batch_size: windows of a batch.

    Attributes:
        num_bytes: of all scored documents, over all ranks.
        lost_bits: of all scored documents, over all ranks.
        num_targets: scored, over all ranks.
        num_documents: scored, over all ranks.
        stride: as given.

    Raises:
        ValueError: the split has no documents, or an argument is out of range.
    """

    def __init__(
        self,
        store: TokenStore,
        split: Split,
        *,
        seq_len: int,
        stride: int,
        max_bytes: int | None = None,
        batch_size: int,
    ):
        if not 1 <= stride <= seq_len:
            raise ValueError(f"stride={stride}: expected 1 to seq_len={seq_len}")
        if batch_size < 1:
            raise ValueError(f"batch_size={batch_size} must be at least 1")
        if store.num_documents(split) == 0:
            raise ValueError(f"the {split} split has no documents to score")
        self.split, self.seq_len, self.stride = split, seq_len, stride
        self._store = store
        byte_sums = np.cumsum(store.document_bytes(split))
        fits = len(byte_sums) if max_bytes is None else int(np.searchsorted(byte_sums, max_bytes, side="right"))
        self.num_documents = max(1, fits)
        self._ends = store.document_ends(split)[: self.num_documents]
        self._byte_sums = np.concatenate([[0], byte_sums[: self.num_documents]])
        self.num_bytes = int(self._byte_sums[-1])
        self._lost_bits = store.lost_bits(split)[: self.num_documents]
        self.lost_bits = float(self._lost_bits.sum())
        self.num_targets = int(self._ends[-1]) - 1
        self.num_windows = 1 + max(0, -(-(self.num_targets - seq_len) // stride))
        self._rows = min(batch_size, self.num_windows)
        self._rank, self._num_ranks = 0, 1

    def for_rank(self, rank: int, num_ranks: int) -> Self:
        """The part of one of `num_ranks` devices: every num_ranks-th batch. All parts have equally many batches, of
        which the last may score nothing; together they are the whole.

        Raises:
            ValueError: the rank is out of range.
        """
        if not 0 <= rank < num_ranks:
            raise ValueError(f"rank {rank} is not in [0, {num_ranks})")
        part = copy.copy(self)
        part._rank, part._num_ranks = rank, num_ranks
        return part

    @property
    def mean_context_bytes(self) -> float:
        """Text that a target is predicted from, in bytes: its mean context in tokens, at this text's own bytes per
        token. Context may reach into the documents before."""
        first = min(self.seq_len, self.num_targets)
        num_later = self.num_targets - first
        whole, rest = divmod(num_later, self.stride)
        shortest = self.seq_len - self.stride + 1  # context of the first scored target of a later window
        context_tokens = _sum_from(1, first) + whole * _sum_from(shortest, self.stride) + _sum_from(shortest, rest)
        return context_tokens / self.num_targets * (self.num_bytes / self.num_targets)

    def __len__(self) -> int:
        num_batches = -(-self.num_windows // self._rows)
        return -(-num_batches // self._num_ranks)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for i in range(len(self)):
            yield self._batch((i * self._num_ranks + self._rank) * self._rows)

    def _batch(self, first_window: int) -> dict[str, Any]:
        import torch  # here, as the processes that encode import this package, and it takes a second

        from zoo.heads.base import IGNORE_INDEX

        inputs_BT = np.full((self._rows, self.seq_len), self._store.tokenizer.end_of_text, dtype=np.int64)
        targets_BT = np.full((self._rows, self.seq_len), IGNORE_INDEX, dtype=np.int64)
        stop_window = min(first_window + self._rows, self.num_windows)
        for row, window in enumerate(range(first_window, stop_window)):
            start = window * self.stride
            stop = min(start + self.seq_len, self.num_targets)
            tokens = self._store.tokens(self.split, start, stop + 1)
            inputs_BT[row, : stop - start] = tokens[:-1]
            first, _ = self._scored(window)
            targets_BT[row, first - 1 - start : stop - start] = tokens[first - start :]
        num_bytes, lost_bits = 0, 0.0
        if first_window < stop_window:
            first, last = self._scored(first_window)[0], self._scored(stop_window - 1)[1]
            # a document's closing end-of-text is at its end - 1
            closed = np.searchsorted(self._ends - 1, [first, last + 1], side="left")
            num_bytes = int(self._byte_sums[closed[1]] - self._byte_sums[closed[0]])
            lost_bits = float(self._lost_bits[closed[0] : closed[1]].sum())
        return {
            "inputs_BT": torch.from_numpy(inputs_BT),
            "targets_BT": torch.from_numpy(targets_BT),
            "num_bytes": num_bytes,
            "lost_bits": lost_bits,
        }

    def _scored(self, window: int) -> tuple[int, int]:
        """Places in the stream of the first and the last target that a window scores."""
        end = window * self.stride + self.seq_len
        first = 1 if window == 0 else end - self.stride + 1
        return first, min(end, self.num_targets)


def _sum_from(start: int, count: int) -> int:
    """start + (start + 1) + ... of `count` terms."""
    return count * start + count * (count - 1) // 2
