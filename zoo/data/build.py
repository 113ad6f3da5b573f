"""Builds the files of a token store: reads the corpus once, trains the tokenizer, encodes every split once."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import zoo
from zoo.data import byte_model
from zoo.data.corpora.base import Corpus
from zoo.data.encode import Encoder, Encoding
from zoo.data.fingerprint import FORMAT_VERSION
from zoo.data.progress import Progress
from zoo.data.split import SPLITS, Shares, Split, check_sizes, document_digest, split_at
from zoo.data.spool import Spool
from zoo.data.stream import StreamWriter, dtype_for
from zoo.tokenizers.base import Tokenizer

META, TOKENIZER, BYTE_MODEL = "meta.json", "tokenizer.json", "byte-model.npy"


def build_files(
    folder: Path,
    corpus: Corpus,
    tokenizer: Tokenizer,
    shares: Shares,
    *,
    fingerprint: str,
    max_shard_tokens: int,
    num_jobs: int,
    progress: Progress,
) -> None:
    """Write every file of a store into an empty folder, durably; the same bytes for every number of jobs.

    The texts are spooled there meanwhile, so that the corpus is read once, however slow it is, and both passes over
    the text (training, encoding) see the same.

    Raises:
        ValueError: the corpus cannot be read, a split is too small, a source has nothing to train on, or the tokenizer
            does not do what it says.
        ChildProcessError: a process that encodes died.
    """
    if not tokenizer.lossless and type(tokenizer).lost is Tokenizer.lost:
        raise ValueError(f"{type(tokenizer).__name__} is lossy: it must say what it loses, in lost(text)")
    spools = {split: Spool(folder / f"spool-{split}.utf8") for split in SPLITS}
    _read(corpus, spools, shares, progress)
    num_documents, num_bytes = {s: len(spools[s]) for s in SPLITS}, {s: spools[s].num_bytes for s in SPLITS}
    cures = [*corpus.hints(), "give a split a larger share by data.split"]
    check_sizes(num_documents, num_bytes, shares, cures)
    _check_sources(corpus, spools["train"])
    with progress.stage(f"training {type(tokenizer).__name__}", f" on {spools['train'].num_bytes:,} bytes"):
        tokenizer.train(spools["train"])
    tokenizer.save(folder / TOKENIZER)
    costs = None if tokenizer.lossless else byte_model.byte_costs(spools["train"].byte_counts())
    encoder = Encoder(tokenizer, folder / TOKENIZER, costs, num_threads=num_jobs)
    written: dict[Split, Written] = {}
    with Encoding(encoder, sum(spool.num_bytes for spool in spools.values()), num_jobs, progress) as encoding:
        for split, spool in spools.items():
            writer = StreamWriter(folder, split, dtype_for(tokenizer.vocab_size), max_shard_tokens)
            written[split] = _encode(spool, split, encoding, tokenizer.end_of_text, writer, progress)
    _save_arrays(folder, spools, written, costs)
    for spool in spools.values():
        spool.path.unlink()
    meta = _describe(corpus, tokenizer, shares, spools, written) | {"fingerprint": fingerprint}
    meta["files"] = _files(folder, {shard["name"]: shard for w in written.values() for shard in w.shards})
    meta["sha256"] = meta_digest(meta)
    (folder / META).write_text(json.dumps(meta, indent=1), encoding="utf-8")
    _sync(folder)


def meta_digest(meta: dict[str, Any]) -> str:
    """Hash of meta.json's body, kept in it as `sha256`."""
    body = {key: value for key, value in meta.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _read(corpus: Corpus, spools: dict[Split, Spool], shares: Shares, progress: Progress) -> None:
    name, sources = type(corpus).__name__, list(corpus.sources())
    current = 0
    with progress.stage(f"reading {name}") as advance:
        for number, (source, text) in enumerate(corpus.labelled(), start=1):
            if source != sources[current]:
                if source not in sources[current:]:
                    raise ValueError(
                        f"{name}: document {number} is of the source {source!r}: expected those of one source to stand "
                        f"together, in the order {', '.join(sources)}"
                    )
                current = sources.index(source)
            try:
                data = text.encode()
            except UnicodeEncodeError as error:
                raise ValueError(f"{name}: document {number} cannot be written as UTF-8: {error}") from error
            digest = document_digest(data)
            spools[split_at(digest, shares)].append(data, source=current, digest=digest)
            advance(1, len(data))
    for split, spool in spools.items():
        spool.close()
        if split != "train" and len(sources) > 1:
            spool.sort()  # so that any prefix, which validation scores during training, holds all sources


def _check_sources(corpus: Corpus, train: Spool) -> None:
    there = set(train.sources)
    for number, (source, weight) in enumerate(corpus.sources().items()):
        if weight > 0 and number not in there:
            raise ValueError(
                f"{type(corpus).__name__}: the source {source!r} has a weight of {weight:g} and no document in the "
                f"train split: expected at least one, or weight 0"
            )


@dataclass
class Written:
    """What came of encoding a split: per document where it ends in the stream, and what it lost."""

    shards: list[dict[str, Any]]
    num_tokens: int = 1  # an end-of-text stands before the first document
    ends: array[int] = field(default_factory=lambda: array("q"))
    lost_pieces: array[int] = field(default_factory=lambda: array("q"))
    lost_bytes: array[int] = field(default_factory=lambda: array("q"))
    lost_byte_bits: array[float] = field(default_factory=lambda: array("d"))


def _encode(
    spool: Spool, split: Split, encoding: Encoding, end_of_text: int, writer: StreamWriter, progress: Progress
) -> Written:
    """Write end-of-text, document, end-of-text, ..., end-of-text."""
    written = Written(writer.shards)
    writer.append(np.array([end_of_text]))
    details = f": {len(spool):,} documents, {spool.num_bytes:,} bytes"
    with progress.stage(f"encoding {split}", details, spool.num_bytes) as advance:
        for part in encoding.map((chunk, split == "validation") for chunk in spool.chunks()):
            done, num_documents = len(written.ends), len(part.num_tokens)
            writer.append(part.ids)
            written.ends.extend((written.num_tokens + np.cumsum(part.num_tokens)).tolist())
            written.num_tokens += len(part.ids)
            for name in ("lost_pieces", "lost_bytes", "lost_byte_bits"):
                getattr(written, name).extend(getattr(part, name).tolist())
            advance(num_documents, sum(spool.lengths[done : done + num_documents]))
    writer.close()
    return written


def _save_arrays(
    folder: Path, spools: dict[Split, Spool], written: dict[Split, Written], costs: np.ndarray | None
) -> None:
    """Everything that is said per document."""
    train = written["train"]
    end = byte_model.end_probability(sum(train.lost_pieces), sum(train.lost_bytes))
    if costs is not None:
        np.save(folder / BYTE_MODEL, byte_model.symbol_bits(costs, end))
    for split, found in written.items():
        np.save(folder / f"{split}-document-ends.npy", np.array(found.ends, dtype=np.int64))
        np.save(folder / f"{split}-document-bytes.npy", np.array(spools[split].lengths, dtype=np.int64))
        np.save(folder / f"{split}-document-sources.npy", np.array(spools[split].sources, dtype=np.uint16))
        if costs is not None:
            pieces, sizes, bits = map(np.array, (found.lost_pieces, found.lost_bytes, found.lost_byte_bits))
            np.save(folder / f"{split}-lost-bits.npy", byte_model.total_bits(pieces, sizes, bits, end))


def _describe(
    corpus: Corpus, tokenizer: Tokenizer, shares: Shares, spools: dict[Split, Spool], written: dict[Split, Written]
) -> dict[str, Any]:
    """What meta.json says, but for the fingerprint and the files."""
    return {
        "format": FORMAT_VERSION,
        "vocab_size": tokenizer.vocab_size,
        "dtype": dtype_for(tokenizer.vocab_size).str,
        "shares": list(shares),
        "splits": {
            split: {
                "num_tokens": written[split].num_tokens,
                "num_bytes": spools[split].num_bytes,
                "num_documents": len(spools[split]),
            }
            for split in SPLITS
        },
        "shards": {split: [[s["name"], s["num_tokens"]] for s in written[split].shards] for split in SPLITS},
        "source_names": list(corpus.sources()),
        "sources": list(_sources(corpus, spools["train"], written["train"])),
        "notes": [*corpus.notes(), *tokenizer.notes()],
        "lost_bits": None if tokenizer.lossless else byte_model.DESCRIPTION,
        "corpus": type(corpus).__name__,
        "tokenizer": {"class": type(tokenizer).__name__, "options": tokenizer.options},
        "versions": {"zoo": zoo.__version__, "python": platform.python_version(), "numpy": np.__version__},
    }


def _sources(corpus: Corpus, train: Spool, written: Written) -> Iterator[dict[str, Any]]:
    """Each source's range of the train stream: its documents, the end-of-text before them and those after each. One of
    weight 0 may have none, and is left out."""
    numbers = np.array(train.sources)
    for number, (name, weight) in enumerate(corpus.sources().items()):
        first, last = np.searchsorted(numbers, [number, number + 1])
        if last > first:
            start = written.ends[first - 1] - 1 if first else 0
            yield {"name": name, "weight": weight, "start": start, "stop": written.ends[last - 1]}


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
