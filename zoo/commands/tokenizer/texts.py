"""Texts on their way to a tokenizer that learns from them, counted."""

from __future__ import annotations

import glob
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from zoo.commands.tokenizer.corpora import Source
from zoo.data.corpora import TextFiles
from zoo.data.corpora._source_file import SourceFile
from zoo.data.progress import Progress
from zoo.data.split import document_digest, split_at
from zoo.tokenizers import Tokenizer
from zoo.tokenizers._files import read_text
from zoo.tokenizers._specials import stream_pieces

CHUNK_BYTES, PIECE_CHARS = 2**20, 2**18  # of a file that is read, and of what is learned from, at a time
STANDARD_INPUT = "/dev/stdin"
Errors = Literal["strict", "replace"]


@dataclass
class Reading:
    """Attributes:
    texts: to learn from; drawn once.
    what: in words.
    total_bytes: of all texts, where that is known.
    num_bytes, seconds: of those drawn, and what it took to read them.
    notes: on what did not come as it stands, once all are drawn.
    """

    texts: Iterable[str]
    what: str
    total_bytes: int | None = None
    num_bytes: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


def of_train_split(source: Source) -> Reading:
    """The documents that a run of a recipe trains on."""
    reading = Reading((), source.name)

    def texts() -> Iterator[str]:
        for text in source.corpus.documents():
            if split_at(document_digest(text.encode()), source.shares) == "train":
                yield text
        reading.notes += source.corpus.notes()

    reading.texts = texts()
    return reading


def of_files(patterns: Sequence[str], tokenizer: Tokenizer, errors: Errors) -> Reading:
    """Files: .jsonl, .csv, .parquet and compressed ones by document, as `TextFiles` reads them; any other is plain
    text of any size, read in chunks. "-" is standard input, and a pipe is read as a file is.

    Raises:
        ValueError: a pattern matches no file.
    """
    files = list(dict.fromkeys(path for pattern in patterns for path in _matches(pattern)))
    plain = {path for path in files if _is_plain(path)}
    is_known = plain == set(files) and all(map(os.path.isfile, files))  # a pipe has no size
    sizes = sum(map(os.path.getsize, files)) if is_known else None
    reading = Reading((), f"{len(files):,} {'file' if len(files) == 1 else 'files'}", sizes)

    def texts() -> Iterator[str]:
        replaced: Counter[Path] = Counter()
        for path in files:
            if path in plain:
                chunks = read_text(Path(path), errors, CHUNK_BYTES, replaced)
                yield from stream_pieces(chunks, set(), set(), tokenizer.cut, PIECE_CHARS)
            else:
                corpus = TextFiles(paths=[path], errors=errors)
                yield from corpus.documents()
                reading.notes.extend(corpus.notes())
        reading.notes += [f"{path}: U+FFFD put in place of invalid UTF-8, {n:,} times" for path, n in replaced.items()]

    reading.texts = texts()
    return reading


def learn(tokenizer: Tokenizer, reading: Reading, progress: Progress) -> float:
    """Train; returns the seconds it took, without those of reading.

    Raises:
        ValueError: a text cannot be read.
    """
    start = time.perf_counter()
    with ExitStack() as stages:
        advance = stages.enter_context(progress.stage(f"reading {reading.what}", total_bytes=reading.total_bytes))

        def counted() -> Iterator[str]:
            texts = iter(reading.texts)
            while True:
                began = time.perf_counter()
                text = next(texts, None)
                if text is not None:
                    num_bytes = len(text.encode("utf-8", errors="surrogatepass"))
                    reading.num_bytes += num_bytes
                    advance(1, num_bytes)
                reading.seconds += time.perf_counter() - began
                if text is None:
                    break
                yield text
            stages.enter_context(progress.stage(f"learning, from {reading.num_bytes:,} bytes"))

        tokenizer.train(counted())
    return time.perf_counter() - start - reading.seconds


def _matches(pattern: str) -> list[str]:
    if pattern == "-":
        return [STANDARD_INPUT]
    if os.path.exists(pattern) and not os.path.isdir(pattern):
        return [pattern]
    files = [match for match in sorted(glob.glob(pattern, recursive=True)) if os.path.isfile(match)]
    if not files:
        folder = f": it is a folder, as a glob {pattern.rstrip('/')}/**/*.txt" if os.path.isdir(pattern) else ""
        raise ValueError(f"no file matches {pattern!r} in {Path.cwd()}{folder}")
    return files


def _is_plain(path: str) -> bool:
    file = SourceFile.of(Path(path))
    return not file.compression and file.format not in (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
