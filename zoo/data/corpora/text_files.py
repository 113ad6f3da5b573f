"""Text files of one's own: plain text and JSON lines."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from zoo.data.corpora.base import Corpus
from zoo.wording import nearest

SUFFIXES = (".txt", ".jsonl")
_CHUNK_BYTES = 2**24


class TextFiles(Corpus):
    """Documents from .txt files (a file is a document, or several between separators) and .jsonl files (one per line).

    Text is taken as it is, line ends included. An empty document and a blank line of a .jsonl file are left out.

    Args:
        paths: files or globs (`**` for any depth), relative to the current folder; read in this order, the matches of
            a glob sorted. A file that two of them name is read once.
        text_field: field of a JSON line that holds the text.
        separator: text that stands between the documents of a .txt file; None: the file is one document.

    Raises:
        ValueError: `paths` is empty or a single string, or the separator is empty.
    """

    def __init__(self, *, paths: Sequence[str], text_field: str = "text", separator: str | None = None):
        if isinstance(paths, str) or not paths:
            raise ValueError(f"paths={paths!r}: expected a list of files or globs")
        if separator == "":
            raise ValueError("separator='' separates nothing: expected text, or null for one document per file")
        self.paths, self.text_field, self.separator = tuple(paths), text_field, separator

    def documents(self) -> Iterator[str]:
        for path in self._files():
            with path.open("rb") as file:
                yield from self._lines(path, file) if path.suffix == ".jsonl" else self._pieces(path, file)

    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr((self.text_field, self.separator)).encode())
        for path in self._files():
            with path.open("rb") as file:
                digest.update(path.suffix.encode() + b"\0" + hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def _files(self) -> list[Path]:
        found: dict[str, Path] = {}
        for pattern in self.paths:
            matches = [pattern] if os.path.isfile(pattern) else sorted(glob.glob(pattern, recursive=True))
            files = [Path(match) for match in matches if os.path.isfile(match)]
            if not files:
                folder = f": it is a folder, as a glob {pattern.rstrip('/')}/*.txt" if os.path.isdir(pattern) else ""
                raise ValueError(f"no file matches {pattern!r} in {Path.cwd()}{folder}")
            for path in files:
                if path.suffix not in SUFFIXES:
                    raise ValueError(f"{path}: expected a file of {' or '.join(SUFFIXES)}, got {path.suffix!r}")
                found.setdefault(os.path.realpath(path), path)
        return list(found.values())

    def _pieces(self, path: Path, file: BinaryIO) -> Iterator[str]:
        if self.separator is None:
            pieces: Iterator[tuple[int, bytes]] = iter([(0, file.read())])
        else:
            pieces = _split_stream(file, self.separator.encode())
        for offset, piece in pieces:
            if piece:
                yield _decode(piece, path, offset)

    def _lines(self, path: Path, file: BinaryIO) -> Iterator[str]:
        offset = 0
        for number, line in enumerate(file, start=1):
            text = _decode(line, path, offset)
            offset += len(line)
            if text.strip() and (document := self._field(text, f"{path}:{number}")):
                yield document

    def _field(self, line: str, where: str) -> str:
        try:
            fields = json.loads(line.strip())
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where}: not JSON: {error}") from error
        if not isinstance(fields, dict):
            raise ValueError(f"{where}: expected a JSON object with a field {self.text_field!r}, got {_short(fields)}")
        if self.text_field not in fields:
            there = ", ".join(fields) or "none"
            hint = nearest(self.text_field, fields)
            raise ValueError(f"{where}: no field {self.text_field!r}; fields there: {there}{hint}")
        text = fields[self.text_field]
        if not isinstance(text, str):
            raise ValueError(f"{where}: expected text in the field {self.text_field!r}, got {_short(text)}")
        try:
            text.encode()
        except UnicodeEncodeError as error:  # JSON can escape half of a surrogate pair
            raise ValueError(f"{where}: {text[error.start]!a} is no character that UTF-8 can encode") from error
        return text


def _split_stream(file: BinaryIO, separator: bytes) -> Iterator[tuple[int, bytes]]:
    """(byte offset, piece) between separators, without the whole file in memory. UTF-8 cannot match by halves."""
    offset, rest = 0, b""
    while chunk := file.read(_CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(separator)
        for piece in whole:
            yield offset, piece
            offset += len(piece) + len(separator)
    yield offset, rest


def _decode(data: bytes, path: Path, offset: int) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise ValueError(f"{path}: not UTF-8 at byte {offset + error.start} (0x{byte:02x})") from error


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
