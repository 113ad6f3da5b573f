"""Datasets on this machine, for `HubDataset`: files that a builder reads, and folders that `save_to_disk` wrote."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.data.corpora._hub_errors import check_splits, load_builder, one_line
from zoo.data.corpora._hub_places import first_broken
from zoo.data.corpora._source_file import SourceFile
from zoo.wording import listing

BUILDERS = ("json", "csv", "parquet", "text", "arrow")  # of `datasets`, those that read files of text
_CARDS = ("README.md", ".huggingface.yaml")  # of a folder: they name its configs, their files and their columns
_CONFIGS = re.compile("^configs:", re.MULTILINE)
_FORMATS = {".json": "JSON", ".jsonl": "JSON", ".ndjson": "JSON", ".csv": "CSV", ".tsv": "TSV", ".txt": "text"}
_FORMATS |= {".parquet": "Parquet", ".arrow": "Arrow"}
_TEXT_FILES = "all of .txt, .md, .jsonl, .csv, .tsv and .parquet"
_STATE, _SPLITS = "state.json", "dataset_dict.json"


class LocalFiles:
    """Files that a builder of `datasets` reads: those of a folder, or `data_files` under the name of a builder.

    Args:
        path: the folder, or the builder.
        name: config of the folder's card; None: the only one, or its default.
        data_files: files or globs, within the folder or the current one; None: all of the folder.
        text_field: the column, for errors.
    """

    def __init__(self, path: str, name: str | None, data_files: Sequence[str] | None, text_field: str):
        self.path, self.name, self._text_field = path, name, text_field
        self.data_files = None if data_files is None else list(data_files)

    def identity(self, split: str) -> Any:
        """What the documents of a split follow from: the builder, and contents in their order, wherever they lie.

        Raises:
            ValueError: a file, the config or the split is not there, a file is not of this machine, or the files are of
                several formats.
        """
        return self._identity(self._builder(), split)

    def open(self, split: str, streaming: bool) -> Any:
        """A `Dataset`, or an `IterableDataset` where it streams.

        Raises:
            ValueError: as `identity`.
        """
        import datasets

        builder = self._builder()
        identity = self._identity(builder, split)
        if streaming:
            with one_line(self.path, self.broken):
                return builder.as_streaming_dataset(split)
        # The cache of `datasets` knows files by path and time. Copies of ours lie under their contents, so that one
        # which was replaced within the same tick of the clock cannot be read from the old copy.
        digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
        builder = self._builder(cache_dir=os.path.join(datasets.config.HF_DATASETS_CACHE, "by-contents", digest))
        with one_line(self.path, self.broken):
            builder.download_and_prepare()
            return builder.as_dataset(split)

    def broken(self) -> str | None:
        """What of the files cannot be read, by file and line, and what to do about it: `datasets` names neither."""
        files = _files_of(self._builder())
        found = first_broken([place for places in files.values() for place in places], self._text_field)
        if found is None:
            return None
        cure = "`bad_lines` skips rows without text, not what `datasets` fails to read: zoo.data.TextFiles skips both"
        return f"{found.where}; {cure}" if found.is_record else found.where

    def _refuse_mixed(self, builder: Any) -> None:
        """`datasets` reads the commonest format of a folder and leaves the files of others out in silence."""
        if self.path in BUILDERS or (self.data_files is None and _card_names_files(self.path)):
            return
        read = {os.path.realpath(place) for places in _files_of(builder).values() for place in places}
        there = _matches(self.path, self.data_files)
        by_format: dict[str, list[str]] = {}
        for name in there:
            by_format.setdefault(_FORMATS[SourceFile.of(Path(name)).format], []).append(name)
        left_out = [
            name
            for name in there
            if self.data_files is None and os.path.realpath(os.path.join(self.path, name)) not in read
        ]
        if len(by_format) < 2 and not left_out:
            return
        cure = (
            f"name those to read, of one format, in data_files; or take zoo.data.TextFiles, which reads {_TEXT_FILES}"
        )
        if len(by_format) > 1:
            found = " and ".join(
                f"{kind} ({listing(names[:3])}{', ...' * (len(names) > 3)})" for kind, names in by_format.items()
            )
            raise ValueError(f"{self.path}: its files are {found}, and `datasets` would read one format alone: {cure}")
        names = listing(left_out[:3]) + ", ..." * (len(left_out) > 3)
        raise ValueError(f"{self.path}: {names} would be left out, being of no split by their names: {cure}")

    def _identity(self, builder: Any, split: str) -> Any:
        files = _files_of(builder)
        for places in files.values():
            self._refuse_addresses(places)
        if not any(files.values()):
            raise ValueError(f"{self.path}: no file matches data_files={self.data_files} in {Path.cwd()}")
        names = check_splits(split, files, self.path)
        self._refuse_mixed(builder)
        cards = [Path(self.path, card) for card in _CARDS]
        return {
            "builder": builder.name,
            "config": builder.config.name,
            "cards": _digests(self.path, [card for card in cards if card.is_file()]),
            "files": {name: _digests(self.path, files[name]) for name in names},
        }

    def _refuse_addresses(self, places: Sequence[str]) -> None:
        for place in places:
            if "://" in place:
                raise ValueError(
                    f"{self.path}: {place} may change behind its address, so a token store could not be named by it: "
                    f"download it, or name a dataset of the hub"
                )

    def _builder(self, **options: Any) -> Any:
        self._refuse_addresses(self.data_files or ())
        return load_builder(self.path, self.name, self.data_files, **options)


def _files_of(builder: Any) -> dict[str, list[str]]:
    """Files of each split."""
    return {str(key): [str(place) for place in paths] for key, paths in (builder.config.data_files or {}).items()}


def _matches(folder: str, data_files: Sequence[str] | None) -> list[str]:
    """Files of text in a folder, as seen from there, sorted; hidden ones and those that `datasets` takes for cards are
    none."""
    from datasets.data_files import FILES_TO_IGNORE

    names = {
        name
        for pattern in data_files or ["**"]
        for name in glob.glob(pattern, root_dir=folder, recursive=True)
        if os.path.isfile(os.path.join(folder, name)) and SourceFile.of(Path(name)).format in _FORMATS
    }
    private = (name for name in names if any(part.startswith("__") for part in Path(name).parts))
    return sorted(names - set(private) - {name for name in names if Path(name).name in FILES_TO_IGNORE})


def _card_names_files(folder: str) -> bool:
    cards = [Path(folder, card) for card in _CARDS]
    return any(_CONFIGS.search(card.read_text(encoding="utf-8", errors="replace")) for card in cards if card.is_file())


class SavedDataset:
    """A folder that `save_to_disk` wrote: one dataset, or several splits.

    Args:
        path: the folder.
    """

    def __init__(self, path: str):
        self.path = path

    def identity(self, split: str) -> Any:
        """Contents of the split's files.

        Raises:
            ValueError: there is no such split.
        """
        folder = self._folder(split)
        files = self._read(folder / _STATE)["_data_files"]
        return {"saved": _digests(self.path, [folder / file["filename"] for file in files])}

    def open(self, split: str, streaming: bool) -> Any:
        """A `Dataset`, mapped from its files: streaming would hold no less.

        Raises:
            ValueError: there is no such split.
        """
        import datasets

        folder = self._folder(split)
        with one_line(self.path):
            return datasets.load_from_disk(str(folder))

    def _folder(self, split: str) -> Path:
        folder = Path(self.path)
        several = (folder / _SPLITS).is_file()
        if several:
            splits = self._read(folder / _SPLITS)["splits"]
        else:
            # One that was no split of anything has no name: it goes by the default of `split`.
            splits = [self._read(folder / _STATE).get("_split") or "train"]
        if split not in splits:
            if {"[", "+"} & set(split):
                raise ValueError(f"{self.path}: expected one of its splits, {', '.join(splits)}, got split={split!r}")
            check_splits(split, splits, self.path)
        return folder / split if several else folder

    def _read(self, path: Path) -> Any:
        with one_line(self.path):
            return json.loads(path.read_text(encoding="utf-8"))


def is_saved(path: str) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    return any(os.path.isfile(os.path.join(path, name)) for name in (_STATE, _SPLITS))


def _digests(what: str, paths: Sequence[str | Path]) -> list[str]:
    found = []
    for path in paths:
        with one_line(what), open(path, "rb") as stream:
            found.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return found
