"""Text files of one's own: plain text, JSON lines, tables and Parquet, also compressed."""

from __future__ import annotations

import glob
import hashlib
import lzma
import os
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.data.corpora._reading import BadLines, Errors, Reading, first_line
from zoo.data.corpora._source_file import COMPRESSIONS, SourceFile
from zoo.data.corpora._table_readers import read_csv, read_parquet, read_tsv
from zoo.data.corpora._text_readers import Layout, read_json_lines, read_plain
from zoo.data.corpora.base import Corpus

READERS = {
    ".txt": read_plain,
    ".md": read_plain,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
}


class TextFiles(Corpus):
    """Documents from files, by the format that their names state.

    | name ends in                | a document is                                             |
    |-----------------------------|-----------------------------------------------------------|
    | `.txt`, `.md`               | the file, or a piece between separators                   |
    | `.jsonl`, `.ndjson`         | the field `text_field` of the JSON object in a line       |
    | `.csv`, `.tsv`              | the column `text_field` of a row; the first row names it  |
    | `.parquet`                  | the column `text_field` of a row                          |
    | one of these and `.gz`, `.bz2`, `.xz` or `.zst` | the same, compressed                  |

    Text is taken as it is, line ends included. A byte order mark at the start of a file is no text: it is left out, and
    of its three bytes none is counted. Empty documents are left out and counted in `notes()`; a blank line of .jsonl
    and .csv files is no document.

    Args:
        paths: files or globs (`**` for any depth), relative to the current folder, or from the home folder by `~`;
            read in this order, the matches of a glob sorted. A file that two of them name is read once.
        text_field: field or column that holds the text, where there are any.
        separator: text that stands between the documents of a .txt or .md file; None: the file is one document.
        errors: bytes that are not UTF-8: `strict` is an error that names the place, whatever `bad_lines` is; `replace`
            puts U+FFFD there.
        bad_lines: lines and rows without a document (not JSON, no such field, no text in it, another number of
            columns, ...): `error` names the first, `skip` leaves them out and counts them in
            `notes()`, as replaced bytes are.

    Raises:
        ValueError: `paths` is empty or a single string, the separator is empty, or `errors` or `bad_lines` is unknown.
    """

    def __init__(
        self,
        *,
        paths: Sequence[str],
        text_field: str = "text",
        separator: str | None = None,
        errors: Errors = "strict",
        bad_lines: BadLines = "error",
    ):
        if isinstance(paths, str) or not paths:
            raise ValueError(f"paths={paths!r}: expected a list of files or globs")
        if separator == "":
            raise ValueError("separator='' separates nothing: expected text, or null for one document per file")
        self.paths, self.errors, self.bad_lines = tuple(paths), errors, bad_lines
        self._layout = Layout(text_field, separator)
        self._last = Reading(errors, bad_lines)

    def documents(self) -> Iterator[str]:
        reading = Reading(self.errors, self.bad_lines)
        for file in self._files():
            yield from read_file(file, self._layout, reading)
        self._last = reading

    def notes(self) -> list[str]:
        return self._last.notes()

    def fingerprint(self) -> str:
        options = (self._layout.text_field, self._layout.separator, self.errors, self.bad_lines)
        digest = hashlib.sha256(repr(options).encode())
        for file in self._files():
            with file.path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").digest()
            digest.update((file.format + file.compression).encode() + b"\0" + content)
            if READERS[file.format] is read_plain and _is_marked(file):
                digest.update(b"without its byte order mark")  # it was text before: another store
        return digest.hexdigest()

    def hints(self, key: str = "data.corpus") -> list[str]:
        if self._layout.separator is not None or all(READERS[file.format] is not read_plain for file in self._files()):
            return []
        return [
            f"a .txt or .md file is one document unless `separator` says what stands between its documents, a blank "
            f"line for instance: '--{key}.separator=\"\\n\\n\"' (the quotes too)"
        ]

    def _files(self) -> list[SourceFile]:
        found: dict[str, SourceFile] = {}
        for pattern in self.paths:
            pattern = pattern if os.path.isfile(pattern) else os.path.expanduser(pattern)
            matches = [pattern] if os.path.isfile(pattern) else sorted(glob.glob(pattern, recursive=True))
            files = [SourceFile.of(Path(match)) for match in matches if os.path.isfile(match)]
            if not files:
                folder = f": it is a folder, as a glob {pattern.rstrip('/')}/**/*.txt" if os.path.isdir(pattern) else ""
                raise ValueError(f"no file matches {pattern!r} in {Path.cwd()}{folder}")
            for file in files:
                if file.format not in READERS:
                    raise ValueError(
                        f"{file}: expected a file of {', '.join(READERS)}, also with {', '.join(COMPRESSIONS)}, got "
                        f"{file.format + file.compression!r}"
                    )
                found.setdefault(os.path.realpath(file.path), file)
        return list(found.values())


def _is_marked(file: SourceFile) -> bool:
    try:
        with file.open() as stream:
            return stream.read(len(BOM_UTF8)) == BOM_UTF8
    except (EOFError, OSError, lzma.LZMAError, zlib.error):
        return False  # reading it says what is wrong


def read_file(file: SourceFile, layout: Layout, reading: Reading) -> Iterator[str]:
    """Documents of one file.

    Raises:
        ValueError: it cannot be read, or a record of it is bad and the reading is strict about that.
    """
    try:
        with file.open() as stream:
            yield from READERS[file.format](file, stream, layout, reading)
    except (EOFError, OSError, lzma.LZMAError, zlib.error) as error:
        what = "decompressed" if file.compression else "read"
        reason = error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)
        raise ValueError(f"{file}: cannot be {what}: {reason}") from error
