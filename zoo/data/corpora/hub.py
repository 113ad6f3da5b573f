"""Datasets of the Hugging Face Hub, or in its formats on this machine, by the library `datasets`
(Q. Lhoest et al., 2021, arXiv:2109.02846)."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from zoo.data.corpora._hub_errors import one_line
from zoo.data.corpora._hub_local import BUILDERS, LocalFiles, SavedDataset, is_saved
from zoo.data.corpora._hub_repository import HubRepository
from zoo.data.corpora._reading import BadLines, Reading, RecordError
from zoo.data.corpora._table_readers import is_text
from zoo.data.corpora.base import Corpus
from zoo.wording import nearest

if TYPE_CHECKING:
    import pyarrow

_BATCH_ROWS = 64


class HubDataset(Corpus):
    """Documents from a column of a dataset, in its order.

    | path               | is                                                                                        |
    |--------------------|-------------------------------------------------------------------------------------------|
    | a folder           | files of one format that `datasets` knows, or what `save_to_disk` wrote                   |
    | `json`, `csv`, `parquet`, `text`, `arrow` | that format, of `data_files`                                       |
    | `namespace/name`   | a dataset of the hub, downloaded to its cache; what the cache holds needs no network      |

    What `datasets` cannot read (a broken line of JSON, bytes that are not UTF-8) is an error, which for files of this
    machine names file and line. It is not ours to skip: `TextFiles` skips such lines and counts them. `datasets` reads
    one format of a folder, so a folder of several is refused unless `data_files` names files of one.

    A dataset of the hub is named by the commit of its revision, local files by their contents. An access token is
    taken from `HF_TOKEN`, and `HF_HUB_OFFLINE=1` keeps from asking the hub.

    Args:
        path: what to read; `~` is the home folder.
        name: config (subset) of the dataset; None: its only one, or its default.
        split: a split; also `train+test`, and a slice as `train[:10%]` unless it streams.
        revision: branch, tag or commit of a dataset of the hub; None: `main`. Only a commit stays what it is.
        data_files: files or globs, in the folder, the repository or (with a format) the current folder; None: all.
        text_field: the column.
        streaming: read files as they come, without a prepared copy in the cache; the documents are the same.
        num_documents: the first so many; None: all.
        bad_lines: rows whose text is null: `error` names the first, `skip` leaves them out and counts them. No other
            mistake is skipped.

    Raises:
        ValueError: arguments that do not go together.
    """

    def __init__(
        self,
        *,
        path: str,
        name: str | None = None,
        split: str = "train",
        revision: str | None = None,
        data_files: Sequence[str] | None = None,
        text_field: str = "text",
        streaming: bool = False,
        num_documents: int | None = None,
        bad_lines: BadLines = "error",
    ):
        if isinstance(data_files, str) or (data_files is not None and not data_files):
            raise ValueError(f"data_files={data_files!r}: expected a list of files or globs")
        if num_documents is not None and num_documents < 1:
            raise ValueError(f"num_documents={num_documents}: expected 1 or more, or null for all")
        if streaming and "[" in split:
            raise ValueError(f"split={split!r}: a stream has no slices: take num_documents, or streaming=False")
        self.path, self.name, self.split, self.revision = path, name, split, revision
        self.data_files, self.text_field, self.streaming = data_files, text_field, streaming
        self.num_documents, self.bad_lines = num_documents, bad_lines
        self._last = Reading(bad_lines=bad_lines)

    def documents(self) -> Iterator[str]:
        reading = Reading(bad_lines=self.bad_lines)
        dataset = self._source.open(self.split, self.streaming)
        yield from islice(self._texts(dataset, reading), self.num_documents)
        self._last = reading

    def notes(self) -> list[str]:
        return self._last.notes()

    def fingerprint(self) -> str:
        import datasets

        key = {
            "source": self._source.identity(self.split),
            "options": [self.split, self.text_field, self.num_documents, self.bad_lines],
            "datasets": datasets.__version__.split(".")[0],  # it orders the files and parses them
        }
        return hashlib.sha256(json.dumps(key).encode()).hexdigest()

    @cached_property
    def _source(self) -> LocalFiles | SavedDataset | HubRepository:
        path = os.path.expanduser(self.path)
        if path in BUILDERS:
            if self.data_files is None:
                folder = f"; the folder is './{path}'" if os.path.isdir(path) else ""
                raise ValueError(f"path={path!r} is a format: expected data_files, the files in it{folder}")
            self._refuse("revision", "a format", "datasets of the hub")
            self._refuse("name", "a format", "folders and datasets of the hub")
            files = [os.path.expanduser(place) for place in self.data_files]
            return LocalFiles(path, None, files, self.text_field)
        if os.path.isdir(path):
            self._refuse("revision", "a folder here", "datasets of the hub")
            if not is_saved(path):
                return LocalFiles(path, self.name, self.data_files, self.text_field)
            self._refuse("name", "what save_to_disk wrote", "folders of files and datasets of the hub")
            self._refuse("data_files", "what save_to_disk wrote", "folders of files and datasets of the hub")
            return SavedDataset(path)
        if os.path.isfile(path):
            raise ValueError(
                f"{path} is a file: expected its format as path, one of {', '.join(BUILDERS)}, and the file in "
                f"data_files; or take zoo.data.TextFiles"
            )
        if path.startswith(("/", ".", "~")) or path.count("/") > 1:  # no name on the hub
            raise ValueError(f"{path!r}: no such folder, seen from {os.getcwd()}")
        return HubRepository(path, self.name, self.revision, self.data_files)

    def _refuse(self, argument: str, what: str, belongs_to: str) -> None:
        value = getattr(self, argument)
        if value is not None:
            raise ValueError(f"{argument}={value!r}: {self.path} is {what}, which has none; it belongs to {belongs_to}")

    def _texts(self, dataset: Any, reading: Reading) -> Iterator[str]:
        row = 0
        for column in self._columns(dataset):
            for data in column.to_pylist():
                row += 1
                if data:
                    yield self._decoded(data, row, reading)
                elif data is None:
                    reason = f"null in the column {self.text_field!r}"
                    reading.bad(RecordError(reason), f"{self.path}, {self.split} row {row}")
                else:
                    reading.empty(f"{self.path}, {self.split} row {row}")

    def _decoded(self, data: bytes, row: int, reading: Reading) -> str:
        try:
            return reading.decode(data, self.path)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{self.path}, {self.split} row {row}: not UTF-8 at byte {error.start} of the text "
                f"(0x{data[error.start]:02x}); zoo.data.TextFiles can replace such bytes, by `errors: replace`"
            ) from error

    def _columns(self, dataset: Any) -> Iterator[pyarrow.Array]:
        """The column, a few rows at a time, as arrays of bytes."""
        import pyarrow

        if dataset.column_names is not None:  # a stream of files without a schema tells with its first rows
            self._check_column(dataset.column_names)
            dataset = dataset.select_columns([self.text_field])
        tables = dataset.with_format("arrow").iter(_BATCH_ROWS)
        while True:
            with one_line(self.path, self._broken):
                table = next(tables, None)
            if table is None:
                return
            self._check_column(table.column_names)
            column = table.column(self.text_field)
            if pyarrow.types.is_null(column.type):  # a stream knows no better where a file begins with nulls
                column = column.cast(pyarrow.string())
            if not is_text(column.type):
                raise ValueError(f"{self.path}: expected text in the column {self.text_field!r}, got {column.type}")
            yield column.cast(pyarrow.large_binary())

    def _broken(self) -> str | None:
        return self._source.broken() if isinstance(self._source, LocalFiles) else None

    def _check_column(self, names: Sequence[str]) -> None:
        if self.text_field not in names:
            hint = nearest(self.text_field, names)
            raise ValueError(f"{self.path}: no column {self.text_field!r}; columns there: {', '.join(names)}{hint}")
