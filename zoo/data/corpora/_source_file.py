"""A file of documents: its format and its compression by its name, and its bytes, decompressed as they are read."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst")
_BUFFER_BYTES = 2**20


@dataclass(frozen=True)
class SourceFile:
    """A file's path, with its suffixes apart: `notes.jsonl.gz` has the format `.jsonl` and the compression `.gz`."""

    path: Path
    format: str
    compression: str  # "" for none

    @classmethod
    def of(cls, path: Path) -> SourceFile:
        suffix = path.suffix.lower()
        if suffix in COMPRESSIONS:
            return cls(path, path.with_suffix("").suffix.lower(), suffix)
        return cls(path, suffix, "")

    def __str__(self) -> str:
        return str(self.path)

    def open(self) -> BinaryIO:
        """Its bytes, decompressed as they are read.

        Raises:
            EOFError, OSError, lzma.LZMAError, zlib.error: also at any read; it cannot be read or decompressed.
        """
        if not self.compression:
            return self.path.open("rb")
        if not self.path.stat().st_size:  # the modules disagree whether nothing decompresses to nothing
            raise EOFError("the file is empty")
        return io.BufferedReader(cast(io.RawIOBase, self._decompressed()), _BUFFER_BYTES)

    def _decompressed(self) -> object:
        if self.compression == ".gz":
            return gzip.open(self.path)
        if self.compression == ".bz2":
            return bz2.open(self.path)
        if self.compression == ".xz":
            return lzma.open(self.path)
        import pyarrow  # lazily: slow to import, and only Python 3.14 has Zstandard of its own

        return pyarrow.input_stream(str(self.path), compression="zstd")
