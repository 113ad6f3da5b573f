"""Builds the files of a token store: reads the corpus once, trains the tokenizer, encodes every split once."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from zoo.data.corpora.base import Corpus
from zoo.data.fingerprint import FORMAT_VERSION
from zoo.data.split import SPLITS, Shares, Split, check_sizes, split_of
from zoo.data.stream import StreamWriter, dtype_for
from zoo.tokenizers.base import Tokenizer

META, TOKENIZER = "meta.json", "tokenizer.json"
Say = Callable[[str], None]


def build_files(
    folder: Path,
    corpus: Corpus,
    tokenizer: Tokenizer,
    shares: Shares,
    *,
    fingerprint: str,
    max_shard_tokens: int,
    progress: Say,
) -> None:
    """Write every file of a store into an empty folder, durably.

    The texts are spooled there meanwhile, so that the corpus is read once, however slow it is, and both passes over
    the text (training, encoding) see the same.

    Raises:
        ValueError: the corpus cannot be read, or a split is too small.
    """
    spools = {split: Spool(folder / f"spool-{split}.utf8") for split in SPLITS}
    _read(corpus, spools, shares, progress)
    check_sizes({s: len(spools[s]) for s in SPLITS}, {s: spools[s].num_bytes for s in SPLITS}, shares)
    progress(f"training {type(tokenizer).__name__} on {spools['train'].num_bytes:,} bytes")
    tokenizer.train(spools["train"])
    tokenizer.save(folder / TOKENIZER)
    shards, counts = {}, {}
    for split in SPLITS:
        writer = StreamWriter(folder, split, dtype_for(tokenizer.vocab_size), max_shard_tokens)
        ends = _encode(spools[split], tokenizer, writer, f"encoding {split}", progress)
        np.save(folder / f"{split}-document-ends.npy", ends)
        np.save(folder / f"{split}-document-bytes.npy", np.array(spools[split].lengths, dtype=np.int64))
        shards[split] = writer.shards
        counts[split] = {
            "num_tokens": writer.num_tokens,
            "num_bytes": spools[split].num_bytes,
            "num_documents": len(spools[split]),
        }
    for spool in spools.values():
        spool.path.unlink()
    meta = {
        "format": FORMAT_VERSION,
        "fingerprint": fingerprint,
        "vocab_size": tokenizer.vocab_size,
        "dtype": dtype_for(tokenizer.vocab_size).str,
        "shares": list(shares),
        "splits": counts,
        "shards": {split: [[s["name"], s["num_tokens"]] for s in shards[split]] for split in SPLITS},
        "files": _files(folder, {s["name"]: s for split in SPLITS for s in shards[split]}),
        "corpus": type(corpus).__name__,
        "tokenizer": {"class": type(tokenizer).__name__, "options": tokenizer.options},
        "versions": {"zoo": zoo.__version__, "python": platform.python_version(), "numpy": np.__version__},
    }
    meta["sha256"] = meta_digest(meta)
    (folder / META).write_text(json.dumps(meta, indent=1), encoding="utf-8")
    _sync(folder)


def meta_digest(meta: dict[str, Any]) -> str:
    """Hash of meta.json's body, kept in it as `sha256`."""
    body = {key: value for key, value in meta.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


class Spool:
    """Documents of one split, one after another in a file; iterating reads them back, as often as asked.

    Attributes:
        lengths: UTF-8 bytes of each document.
    """

    def __init__(self, path: Path):
        self.path, self.lengths, self.num_bytes = path, array("q"), 0
        self._file = path.open("wb")

    def __len__(self) -> int:
        return len(self.lengths)

    def append(self, data: bytes) -> None:
        self._file.write(data)
        self.lengths.append(len(data))
        self.num_bytes += len(data)

    def close(self) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[str]:
        with self.path.open("rb") as file:
            for length in self.lengths:
                yield file.read(length).decode()


class Ticker:
    """Reports at most every few seconds what a loop has done."""

    def __init__(self, progress: Say, every_seconds: float = 2.0):
        self._progress, self._every, self._next = progress, every_seconds, time.monotonic() + every_seconds

    def __call__(self, line: Callable[[], str]) -> None:
        if time.monotonic() >= self._next:
            self._progress(line())
            self._next = time.monotonic() + self._every


def _read(corpus: Corpus, spools: dict[Split, Spool], shares: Shares, progress: Say) -> None:
    progress(f"reading {type(corpus).__name__}")
    tick, done = Ticker(progress), 0
    for done, text in enumerate(corpus.documents(), start=1):
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{type(corpus).__name__}: document {done} cannot be written as UTF-8: {error}") from error
        spools[split_of(text, shares)].append(data)
        tick(lambda: f"reading {type(corpus).__name__}: {done:,} documents")  # noqa: B023, called at once
    for spool in spools.values():
        spool.close()


def _encode(texts: Spool, tokenizer: Tokenizer, writer: StreamWriter, what: str, progress: Say) -> np.ndarray:
    """Write end-of-text, document, end-of-text, ..., end-of-text; return where each document's own end-of-text ends."""
    progress(f"{what}: {len(texts):,} documents, {texts.num_bytes:,} bytes")
    end_of_text, vocab_size = tokenizer.end_of_text, tokenizer.vocab_size
    writer.append(np.array([end_of_text]))
    ends, tick, done_bytes = array("q"), Ticker(progress), 0
    for text, length in zip(texts, texts.lengths, strict=True):
        ids = np.array([*tokenizer.encode_ordinary(text), end_of_text], dtype=np.int64)
        if ids.min() < 0 or ids.max() >= vocab_size:
            wrong = ids[(ids < 0) | (ids >= vocab_size)][0]
            raise ValueError(f"{type(tokenizer).__name__} gave the id {wrong}, expected ids in [0, {vocab_size})")
        writer.append(ids)
        ends.append(writer.num_tokens)
        done_bytes += length
        tick(lambda: f"{what}: {done_bytes / texts.num_bytes:.0%}")  # noqa: B023, called at once
    writer.close()
    return np.array(ends, dtype=np.int64)


def _files(folder: Path, hashed: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Size and hash of every file but meta.json, by name; those of shards were taken as they were written."""
    files = {}
    for path in sorted(folder.iterdir()):
        known = hashed.get(path.name)
        digest = known["sha256"] if known else file_digest(path)
        files[path.name] = {"num_bytes": path.stat().st_size, "sha256": digest}
    return files


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    """Survive a power cut: contents first, then the names."""
    for path in [*folder.iterdir(), folder]:
        sync_path(path)


def sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
