"""Readers of plain text and JSON lines: bytes of one file -> documents, holding one line or document at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from zoo.data.corpora._reading import Reading, RecordError
from zoo.data.corpora._source_file import SourceFile
from zoo.wording import nearest

_CHUNK_BYTES = 2**24
_BYTE_ORDER_MARK = "\ufeff"
_MARK_BYTES = _BYTE_ORDER_MARK.encode()
_CURE = "`errors: replace` puts U+FFFD in place of such bytes and counts them"


@dataclass(frozen=True)
class Layout:
    """Where documents stand in a file: `text_field` of its records, `separator` between pieces of plain text."""

    text_field: str
    separator: str | None


def read_plain(file: SourceFile, stream: BinaryIO, layout: Layout, reading: Reading) -> Iterator[str]:
    if layout.separator is None:
        pieces: Iterator[tuple[int, bytes]] = iter([(0, stream.read())])
    else:
        pieces = _split_stream(stream, layout.separator.encode())
    for offset, piece in pieces:
        mark = len(_MARK_BYTES) if offset == 0 and piece.startswith(_MARK_BYTES) else 0
        if len(piece) > mark:
            yield _decode(piece[mark:] if mark else piece, file, offset + mark, reading)
        else:
            reading.empty(f"{file}, byte {offset}" if offset else str(file))


def _split_stream(stream: BinaryIO, separator: bytes) -> Iterator[tuple[int, bytes]]:
    """(byte offset, piece) between separators, without the whole file in memory. UTF-8 cannot match by halves.

    A separator that ends the file begins no further piece.
    """
    offset, held = 0, bytearray()
    while chunk := stream.read(_CHUNK_BYTES):
        start, search = 0, max(0, len(held) - len(separator) + 1)  # up to there, no separator begins
        held += chunk
        while (stop := held.find(separator, max(start, search))) >= 0:
            yield offset + start, bytes(held[start:stop])
            start = stop + len(separator)
        del held[:start]
        offset += start
    if held or not offset:
        yield offset, bytes(held)


def read_json_lines(file: SourceFile, stream: BinaryIO, layout: Layout, reading: Reading) -> Iterator[str]:
    for number, line in enumerate(decoded_lines(file, stream, reading), start=1):
        if not line.strip():
            continue
        where = f"{file}:{number}"
        try:
            text = _json_text(line.strip(), layout.text_field)
        except RecordError as error:
            reading.bad(error, where)
            continue
        if text:
            yield text
        else:
            reading.empty(where)


def _json_text(line: str, text_field: str) -> str:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordError("not JSON", f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        wanted = f"expected a JSON object with a field {text_field!r}"
        raise RecordError("not a JSON object", f"{wanted}, got {short(fields)}")
    if text_field not in fields:
        there, hint = ", ".join(fields) or "none", nearest(text_field, fields)
        raise RecordError(f"no field {text_field!r}", f"no field {text_field!r}; fields there: {there}{hint}")
    return checked_text(fields[text_field], text_field)


def checked_text(value: object, text_field: str) -> str:
    """The value of a text field, as it is.

    Raises:
        RecordError: it is no text, or UTF-8 cannot encode it.
    """
    if not isinstance(value, str):
        reason = f"no text in the field {text_field!r}"
        raise RecordError(reason, f"expected text in the field {text_field!r}, got {short(value)}")
    try:
        value.encode()
    except UnicodeEncodeError as error:  # JSON can escape half of a surrogate pair
        reason = "half of a surrogate pair, which UTF-8 cannot encode"
        raise RecordError(reason, f"{value[error.start]!a} is no character that UTF-8 can encode") from error
    return value


def decoded_lines(file: SourceFile, stream: BinaryIO, reading: Reading) -> Iterator[str]:
    """Lines with their ends. A byte order mark at the start is left out: it stands before any document.

    Raises:
        ValueError: the file is not UTF-8, and errors are strict.
    """
    offset = 0
    for number, data in enumerate(stream, start=1):
        line = _decode(data, file, offset, reading, number)
        yield line if offset else line.removeprefix(_BYTE_ORDER_MARK)
        offset += len(data)


def _decode(data: bytes, file: SourceFile, offset: int, reading: Reading, line: int | None = None) -> str:
    try:
        return reading.decode(data, str(file))
    except UnicodeDecodeError as error:
        of = " of the decompressed text" if file.compression else ""
        where = str(file) if line is None else f"{file}:{line}"
        raise ValueError(not_utf8(where, f"byte {offset + error.start}{of}", data[error.start])) from error


def not_utf8(where: str, place: str, byte: int) -> str:
    """What a file that is not UTF-8 is refused with: where it is not, and what to do about it."""
    return f"{where}: not UTF-8 at {place} (0x{byte:02x}); {_CURE}"


def short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
