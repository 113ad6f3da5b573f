"""What is trained on at each step: a pure function of (store, seed, step), so there is no state that could drift.

The stream is cut into windows of seq_len targets, at an offset drawn per epoch, and the windows are permuted per epoch.
Row g of the whole run is window g mod n of epoch g // n; step i of a batch of B takes the rows i B ... (i + 1) B - 1.
So every arm with the same tokens and seq_len sees the same text in the same order, whatever its batch size.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from zoo.data.store import TokenStore


class TrainBatches:
    """Batches of the train split.

    Args:
        store: the tokens.
        seed: keys the order.
        seq_len: targets of a row.
        batch_size: rows of one optimizer step, over all devices and micro-batches.

    Attributes:
        windows_per_epoch: rows after which the text comes again, in another order and cut elsewhere.

    Raises:
        ValueError: the train split does not fill one window, or an argument is out of range.
    """

    def __init__(self, store: TokenStore, *, seed: int, seq_len: int, batch_size: int):
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed={seed}: expected an integer from 0 to 2**64 - 1")
        if seq_len < 1 or batch_size < 1:
            raise ValueError(f"seq_len={seq_len} and batch_size={batch_size}: both must be at least 1")
        num_targets = store.num_tokens("train") - 1
        if num_targets < seq_len:
            raise ValueError(f"the train split has {num_targets:,} targets, too few for one window of {seq_len=}")
        self.store, self.seed, self.seq_len, self.batch_size = store, seed, seq_len, batch_size
        # Any offset in [0, seq_len) leaves this many whole windows, so that epochs are equally long and row g is found
        # by one division. A stream of hardly more than one window still gives that one.
        self.windows_per_epoch = max(1, (num_targets - seq_len + 1) // seq_len)
        self._num_offsets = min(seq_len, num_targets - self.windows_per_epoch * seq_len + 1)

    def step(self, i: int) -> np.ndarray:
        """Tokens of optimizer step i: int64 [batch_size, seq_len + 1]; inputs are all but the last column, targets all
        but the first."""
        return self._rows(i * self.batch_size, self.batch_size)

    def micro(self, i: int, part: int, num_parts: int) -> np.ndarray:
        """One of `num_parts` equal slices of the rows of step i: int64 [batch_size / num_parts, seq_len + 1].

        Raises:
            ValueError: the batch cannot be cut into so many equal parts.
        """
        size = self.micro_size(num_parts)
        if not 0 <= part < num_parts:
            raise ValueError(f"part {part} is not in [0, {num_parts})")
        return self._rows(i * self.batch_size + part * size, size)

    def micro_size(self, num_parts: int) -> int:
        """Rows of each of `num_parts` slices.

        Raises:
            ValueError: the batch cannot be cut into so many equal parts.
        """
        if num_parts < 1 or self.batch_size % num_parts:
            raise ValueError(f"num_parts={num_parts} (devices x accumulate) must divide batch_size={self.batch_size}")
        return self.batch_size // num_parts

    def window_starts(self, first_row: int, num_rows: int) -> list[int]:
        """Where the rows start in the stream."""
        starts = []
        for row in range(first_row, first_row + num_rows):
            epoch, place = divmod(row, self.windows_per_epoch)
            offset, order = _draw_order(self.seed, epoch, self.windows_per_epoch, self._num_offsets)
            starts.append(offset + int(order[place]) * self.seq_len)
        return starts

    def _rows(self, first_row: int, num_rows: int) -> np.ndarray:
        starts = self.window_starts(first_row, num_rows)
        return np.stack([self.store.tokens("train", s, s + self.seq_len + 1) for s in starts]).astype(np.int64)


@lru_cache(maxsize=2)  # a step can span two epochs
def _draw_order(seed: int, epoch: int, num_windows: int, num_offsets: int) -> tuple[int, np.ndarray]:
    """(offset, permutation of the windows) of an epoch. Raw Philox words, which numpy promises to keep; the methods of
    its Generator may change between versions."""
    words = np.random.Philox(key=np.array([seed, epoch], dtype=np.uint64)).random_raw(num_windows + 1)
    return int(words[0] % np.uint64(num_offsets)), np.argsort(words[1:], kind="stable")
