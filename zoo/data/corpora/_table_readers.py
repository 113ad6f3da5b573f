"""Readers of tables: bytes of one file -> the texts of one column, holding a few rows at a time.

Comma-separated values as in RFC 4180 (Y. Shafranovich, 2005), tab-separated ones with the same quotes; Apache Parquet.
"""

from __future__ import annotations

import csv
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from zoo.data.corpora._reading import Reading, RecordError, first_line
from zoo.data.corpora._source_file import SourceFile
from zoo.data.corpora._text_readers import Layout, decoded_lines, not_utf8
from zoo.wording import nearest

if TYPE_CHECKING:
    import pyarrow

_BATCH_ROWS = 64  # of Parquet: a batch of 10 MB documents still fits
_PAGE_BUFFER_BYTES = 2**20
_FIELD_CHARACTERS = 2**31 - 1  # the largest limit that the csv module takes everywhere
_BARE_RETURN = re.compile(r"(?<=\r)(?!\n)")


def read_csv(file: SourceFile, stream: BinaryIO, layout: Layout, reading: Reading) -> Iterator[str]:
    return _read_rows(file, stream, layout, reading, ",")


def read_tsv(file: SourceFile, stream: BinaryIO, layout: Layout, reading: Reading) -> Iterator[str]:
    return _read_rows(file, stream, layout, reading, "\t")


def _read_rows(file: SourceFile, stream: BinaryIO, layout: Layout, reading: Reading, delimiter: str) -> Iterator[str]:
    if csv.field_size_limit() < _FIELD_CHARACTERS:
        # The limit is the whole process's: raised once and never lowered, as another thread may be reading.
        csv.field_size_limit(_FIELD_CHARACTERS)
    # Strict, as a stray quote would otherwise join the rows that follow it in silence.
    rows = csv.reader(_rows_ends(decoded_lines(file, stream, reading)), delimiter=delimiter, strict=True)
    header = _header(rows, file)
    column = _column(header, layout.text_field, file)
    while True:
        where = f"{file}:{rows.line_num + 1}"
        try:
            row = next(rows, None)
            if row and len(row) != len(header):
                found = f"columns: expected {len(header)} as in the first row, got {len(row)}"
                raise RecordError("wrong number of columns", found)
        except csv.Error as error:
            reading.bad(RecordError("not CSV", f"not CSV: {error}"), where)
            continue
        except RecordError as error:
            reading.bad(error, where)
            continue
        if row is None:
            return
        if row and row[column]:
            yield row[column]
        elif row:
            reading.empty(where)


def _rows_ends(lines: Iterator[str]) -> Iterator[str]:
    """The lines, cut after a carriage return too: it may end a row, and the csv module refuses text after it."""
    for line in lines:
        if "\r" in line:
            yield from _BARE_RETURN.split(line)
        else:
            yield line


def _header(rows: Iterator[list[str]], file: SourceFile) -> list[str]:
    try:
        return next((row for row in rows if row), [])
    except csv.Error as error:  # never skipped: the next row would name the columns
        raise ValueError(f"{file}: the first row, which names the columns, is not CSV: {error}") from error


def read_parquet(file: SourceFile, stream: BinaryIO, layout: Layout, reading: Reading) -> Iterator[str]:
    with tempfile.TemporaryFile() as spool:
        if file.compression:  # Parquet is read from its end
            shutil.copyfileobj(stream, spool)
        row = 0
        for batch in _column_batches(file, spool if file.compression else stream, layout.text_field):
            for data in batch.to_pylist():
                row += 1
                if data:
                    yield _decode(data, file, row, reading)
                elif data is None:
                    reading.bad(RecordError(f"null in the column {layout.text_field!r}"), f"{file}, row {row}")
                else:
                    reading.empty(f"{file}, row {row}")


def _column_batches(file: SourceFile, stream: object, text_field: str) -> Iterator[pyarrow.Array]:
    """The column, as arrays of bytes: Arrow does not check that its strings are UTF-8."""
    import pyarrow.parquet  # lazily: slow to import, and needed here alone

    try:
        # Pages are read as they are needed; by default all of a row group is held, whatever its size.
        table = pyarrow.parquet.ParquetFile(stream, buffer_size=_PAGE_BUFFER_BYTES, pre_buffer=False)
        schema = table.schema_arrow
        kind = schema.field(_column(schema.names, text_field, file)).type
        if not is_text(kind):
            raise ValueError(f"{file}: expected text in the column {text_field!r}, got {kind}")
        for batch in table.iter_batches(_BATCH_ROWS, columns=[text_field], use_threads=False):
            yield batch.column(0).cast(pyarrow.large_binary())
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{file}: not Parquet, or damaged: {first_line(error)}") from error


def is_text(kind: pyarrow.DataType) -> bool:
    """Whether a column holds text. Bytes count: some writers do not mark text as such."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    texts = (types.is_string, types.is_large_string, types.is_string_view)
    return any(is_kind(kind) for is_kind in (*texts, types.is_binary, types.is_large_binary, types.is_binary_view))


def _column(names: Sequence[str], text_field: str, file: SourceFile) -> int:
    if text_field not in names:
        there = ", ".join(names) or "none"
        raise ValueError(f"{file}: no column {text_field!r}; columns there: {there}{nearest(text_field, names)}")
    if (count := names.count(text_field)) > 1:
        raise ValueError(f"{file}: expected one column {text_field!r}, got {count}")
    return names.index(text_field)


def _decode(data: bytes, file: SourceFile, row: int, reading: Reading) -> str:
    try:
        return reading.decode(data, str(file))
    except UnicodeDecodeError as error:
        place = f"byte {error.start} of the text"
        raise ValueError(not_utf8(f"{file}, row {row}", place, data[error.start])) from error
