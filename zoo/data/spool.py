"""Documents on disk between reading the corpus and encoding it, so that a corpus is read once, however slow it is."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.data.byte_model import NUM_BYTES

CHUNK_BYTES = 2**20  # of text that is encoded at once: enough to pay for its way to another process


@dataclass(frozen=True)
class Chunk:
    """Some consecutive documents of a split; small, whatever they hold.

    Attributes:
        path: of the file they stand in.
        first: number of the first within its split.
        offsets, lengths: of each, in bytes.
    """

    path: Path
    first: int
    offsets: Sequence[int]
    lengths: Sequence[int]

    @property
    def num_bytes(self) -> int:
        return sum(self.lengths)

    def texts(self) -> Iterator[str]:
        with self.path.open("rb") as file:
            for offset, length in zip(self.offsets, self.lengths, strict=True):
                file.seek(offset)
                yield file.read(length).decode()


class Spool:
    """Documents of one split, one after another in a file; iterating reads them back, as often as asked.

    Attributes:
        lengths: UTF-8 bytes of each document.
        sources: number of each document's source.
        num_bytes: of all documents.
    """

    def __init__(self, path: Path):
        self.path, self.num_bytes = path, 0
        self.lengths, self.sources = array("q"), array("H")
        self._offsets, self._digests = array("q"), array("Q")
        self._file = path.open("wb")

    def __len__(self) -> int:
        return len(self.lengths)

    def append(self, data: bytes, *, source: int = 0, digest: int = 0) -> None:
        """Add a document.

        Args:
            data: its UTF-8.
            source: its source's number.
            digest: what `sort` sorts by, below 2^64.
        """
        self._file.write(data)
        self._offsets.append(self.num_bytes)
        self.lengths.append(len(data))
        self.sources.append(source)
        self._digests.append(digest)
        self.num_bytes += len(data)

    def close(self) -> None:
        self._file.close()

    def sort(self) -> None:
        """From now on the documents come in the order of their digests, equal ones in the order they were added."""
        order = np.argsort(np.frombuffer(self._digests, dtype=np.uint64), kind="stable")
        for name in ("lengths", "sources", "_offsets", "_digests"):
            values = getattr(self, name)
            setattr(self, name, array(values.typecode, np.frombuffer(values, dtype=values.typecode)[order].tobytes()))

    def chunks(self, chunk_bytes: int | None = None) -> Iterator[Chunk]:
        """The documents in order, in chunks of at least one document and otherwise at most `chunk_bytes`."""
        limit = CHUNK_BYTES if chunk_bytes is None else chunk_bytes
        start = size = 0
        for stop, length in enumerate(self.lengths):
            if stop > start and size + length > limit:
                yield self._chunk(start, stop)
                start, size = stop, 0
            size += length
        if start < len(self):
            yield self._chunk(start, len(self))

    def byte_counts(self) -> np.ndarray:
        """Occurrences of each byte: int64 [256]."""
        counts = np.zeros(NUM_BYTES, dtype=np.int64)
        with self.path.open("rb") as file:
            while data := file.read(2**24):
                counts += np.bincount(np.frombuffer(data, dtype=np.uint8), minlength=NUM_BYTES)
        return counts

    def __iter__(self) -> Iterator[str]:
        for chunk in self.chunks():
            yield from chunk.texts()

    def _chunk(self, start: int, stop: int) -> Chunk:
        return Chunk(self.path, start, self._offsets[start:stop].tolist(), self.lengths[start:stop].tolist())
