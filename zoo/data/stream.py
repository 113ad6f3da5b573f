"""A stream of token ids in memory-mapped shards: raw little-endian unsigned integers, nothing else."""

from __future__ import annotations

import bisect
import hashlib
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_BUFFER_TOKENS = 2**20


def dtype_for(vocab_size: int) -> np.dtype:
    """The narrowest of uint16 and uint32 that holds every id."""
    return np.dtype("<u2" if vocab_size <= 2**16 else "<u4")


class StreamWriter:
    """Appends ids to `<name>-00000.bin`, `<name>-00001.bin`, ... of at most `max_shard_tokens` each.

    Attributes:
        num_tokens: appended so far.
        shards: per shard its file `name`, `num_tokens`, `num_bytes` and `sha256`; complete after `close`.
    """

    def __init__(self, folder: Path, name: str, dtype: np.dtype, max_shard_tokens: int):
        if max_shard_tokens < 1:
            raise ValueError(f"max_shard_tokens={max_shard_tokens} must be at least 1")
        self._folder, self._name, self._dtype, self._max = folder, name, dtype, max_shard_tokens
        self._waiting: list[np.ndarray] = []
        self._num_waiting = 0
        self._file: BinaryIO | None = None
        self._digest = hashlib.sha256()
        self.num_tokens = 0
        self.shards: list[dict[str, Any]] = []

    def append(self, ids: np.ndarray) -> None:
        self._waiting.append(ids.astype(self._dtype))
        self._num_waiting += len(ids)
        self.num_tokens += len(ids)
        if self._num_waiting >= _BUFFER_TOKENS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._end_shard()

    def _flush(self) -> None:
        if not self._waiting:
            return
        ids = np.concatenate(self._waiting)
        self._waiting, self._num_waiting = [], 0
        while len(ids):
            if self._file is None:
                self._begin_shard()
            assert self._file is not None
            shard = self.shards[-1]
            data = ids[: self._max - shard["num_tokens"]].tobytes()
            self._file.write(data)
            self._digest.update(data)
            shard["num_bytes"] += len(data)
            shard["num_tokens"] += len(data) // self._dtype.itemsize
            ids = ids[len(data) // self._dtype.itemsize :]
            if shard["num_tokens"] == self._max:
                self._end_shard()

    def _begin_shard(self) -> None:
        name = f"{self._name}-{len(self.shards):05d}.bin"
        self.shards.append({"name": name, "num_tokens": 0, "num_bytes": 0})
        self._file, self._digest = (self._folder / name).open("wb"), hashlib.sha256()

    def _end_shard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self.shards[-1]["sha256"] = self._digest.hexdigest()


class TokenStream:
    """Reads what a `StreamWriter` wrote; nothing is loaded but what is asked for.

    Args:
        folder: of the shards.
        shards: (file name, number of tokens) of each, in order.
        dtype: of an id.
    """

    def __init__(self, folder: Path, shards: Iterable[tuple[str, int]], dtype: np.dtype):
        names, sizes = zip(*shards, strict=True)
        self._paths = [folder / name for name in names]
        self._ends = list(itertools.accumulate(sizes))
        self._dtype = dtype
        self._maps: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return self._ends[-1]

    def read(self, start: int, stop: int) -> np.ndarray:
        """Ids start ... stop - 1, across shards.

        Raises:
            ValueError: the range is not within the stream.
        """
        if not 0 <= start <= stop <= self._ends[-1]:
            raise ValueError(f"tokens [{start}, {stop}) are not within [0, {len(self)})")
        parts = []
        shard = bisect.bisect_right(self._ends, start)
        while start < stop:
            begin, end = self._ends[shard - 1] if shard else 0, self._ends[shard]
            part = self._map(shard)[start - begin : min(stop, end) - begin]
            parts.append(part)
            start, shard = start + len(part), shard + 1
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, self._dtype), *parts])

    def _map(self, shard: int) -> np.ndarray:
        if shard not in self._maps:  # as a plain array: slices of a memmap pass through Python, each
            self._maps[shard] = np.asarray(np.memmap(self._paths[shard], dtype=self._dtype, mode="r"))
        return self._maps[shard]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_maps": {}}  # a memory map would be copied whole into another process
