"""Documents to ids, a chunk at a time: here, in threads, or in processes; the ids are the same."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.byte_model import spelled
from zoo.data.progress import Progress
from zoo.data.spool import Chunk
from zoo.data.stream import dtype_for
from zoo.data.workers import Workers
from zoo.tokenizers.base import Tokenizer

TRIAL_SECONDS, TRIAL_CHUNKS = 1.0, 2  # of encoding here, at least, which tell the tokenizer's pace
WORTH_SECONDS = 5.0  # of work that is left: with less a process, which imports for a second or two, hardly saves any


@dataclass(frozen=True)
class Encoded:
    """A chunk as ids.

    Attributes:
        ids: every document's ids and its closing end-of-text, uint16 or uint32 by vocabulary.
        num_tokens: int64 [documents], end-of-text included.
        lost_pieces, lost_bytes, lost_byte_bits: [documents]: see `byte_model.spelled`; zeros where nothing can be lost.
    """

    ids: np.ndarray
    num_tokens: np.ndarray
    lost_pieces: np.ndarray
    lost_bytes: np.ndarray
    lost_byte_bits: np.ndarray


class Encoder:
    """Encodes chunks with a trained tokenizer.

    Args:
        tokenizer: trained.
        saved: file that `Tokenizer.save` wrote: another process reads from it what was learned, as an open store does.
        costs: bits of each byte, for a lossy tokenizer.
        num_threads: what `Tokenizer.encode_arrays` may use in this process; in another it is one.
    """

    def __init__(self, tokenizer: Tokenizer, saved: Path, costs: np.ndarray | None, num_threads: int = 1):
        self.tokenizer, self.saved, self.costs, self.num_threads = tokenizer, saved, costs, num_threads
        self._vocab_size = tokenizer.vocab_size
        self._dtype = dtype_for(self._vocab_size)

    def __reduce__(self) -> Any:
        return _load, (type(self.tokenizer), self.tokenizer.options, self.saved, self.costs)

    def __call__(self, task: tuple[Chunk, bool]) -> Encoded:
        """Encode a chunk.

        Args:
            task: the chunk, and whether to check that its ids decode to its text.

        Raises:
            ValueError: an id is out of range, or the text does not come back though the tokenizer says it does.
        """
        chunk, check = task
        texts = list(chunk.texts())
        batch = [self._checked(ids) for ids in self.tokenizer.encode_arrays(texts, num_threads=self.num_threads)]
        if len(batch) != len(texts):
            raise ValueError(f"{type(self.tokenizer).__name__}: encode_arrays gave {len(batch)} texts for {len(texts)}")
        lost = [self._lost(text) for text in texts]
        if check:
            for number, (text, ids, (num_lost, _, _)) in enumerate(zip(texts, batch, lost, strict=True), chunk.first):
                if not num_lost:
                    self._check_comes_back(number, text, ids)
        end = np.array([self.tokenizer.end_of_text], dtype=self._dtype)
        pieces, sizes, bits = zip(*lost, strict=True)
        return Encoded(
            np.concatenate([part for ids in batch for part in (ids, end)]),
            np.array([len(ids) + 1 for ids in batch], dtype=np.int64),
            np.array(pieces, dtype=np.int64),
            np.array(sizes, dtype=np.int64),
            np.array(bits, dtype=np.float64),
        )

    def _checked(self, given: np.ndarray) -> np.ndarray:
        """The ids in the type of the stream; checked before, as a narrower type would wrap them round in silence."""
        ids, name = np.asarray(given), type(self.tokenizer).__name__
        if len(ids) and ids.dtype.kind not in "ui":
            raise ValueError(f"{name} gave ids of type {ids.dtype}, expected uint32")
        if len(ids) and (ids.min() < 0 or ids.max() >= self._vocab_size):
            wrong = ids[(ids < 0) | (ids >= self._vocab_size)][0]
            raise ValueError(f"{name} gave the id {wrong}, expected ids in [0, {self._vocab_size})")
        return ids.astype(self._dtype)

    def _lost(self, text: str) -> tuple[int, int, float]:
        return (0, 0, 0.0) if self.costs is None else spelled(self.tokenizer.lost(text), self.costs)

    def _check_comes_back(self, number: int, text: str, ids: np.ndarray) -> None:
        expected, found = text.encode(), self.tokenizer.decode_bytes(ids)
        if found == expected:
            return
        place = next((i for i, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b), None)
        place = min(len(expected), len(found)) if place is None else place
        says = "says it is lossless" if self.tokenizer.lossless else "says it lost nothing"
        raise ValueError(
            f"{type(self.tokenizer).__name__} {says}, but validation document {number} does not come back: at byte "
            f"{place} {_excerpt(found, place)} instead of {_excerpt(expected, place)}"
        )


class Encoding:
    """Encodes one split after another; a context manager.

    The rule: it begins in this process, with `num_jobs` threads for a tokenizer that can use them, and goes on in
    `num_jobs` processes if, after a second, more than a few seconds of work are left at the best pace until then. (The
    first chunk may have waited for a compiler.) A class that cannot be imported elsewhere stays. The ids are the same.

    Args:
        encoder: of chunks.
        num_bytes: of all splits.
        num_jobs: threads or processes.
        progress: is told why a long build stays in one process.
    """

    def __init__(self, encoder: Encoder, num_bytes: int, num_jobs: int, progress: Progress):
        self._encoder, self._num_jobs, self._progress = encoder, num_jobs, progress
        self._may_share = num_jobs > 1
        self._left_bytes, self._seconds, self._num_chunks, self._bytes_per_second = num_bytes, 0.0, 0, 0.0
        self._exit = ExitStack()
        self._workers: Workers | None = None

    def __enter__(self) -> Encoding:
        return self

    def __exit__(self, *error: object) -> None:
        self._exit.close()

    def map(self, tasks: Iterable[tuple[Chunk, bool]]) -> Iterator[Encoded]:
        """What `Encoder` makes of each task, in order.

        Raises:
            ValueError: see `Encoder`.
            ChildProcessError: a process died.
        """
        rest = iter(tasks)
        for task in rest:
            if self._workers is None and self._share_now():
                self._workers = self._exit.enter_context(Workers(self._encoder, self._num_jobs))
            if self._workers is not None:
                yield from self._workers.map(chain([task], rest))
                return
            began = time.perf_counter()
            encoded = self._encoder(task)
            self._took(task[0].num_bytes, time.perf_counter() - began)
            yield encoded

    def _took(self, num_bytes: int, seconds: float) -> None:
        self._num_chunks, self._seconds = self._num_chunks + 1, self._seconds + seconds
        self._left_bytes -= num_bytes
        self._bytes_per_second = max(self._bytes_per_second, num_bytes / max(seconds, 1e-9))

    def _share_now(self) -> bool:
        if not self._may_share or self._seconds < TRIAL_SECONDS or self._num_chunks < TRIAL_CHUNKS:
            return False
        if self._left_bytes < WORTH_SECONDS * self._bytes_per_second:
            return False
        if (reason := _stays_here(self._encoder.tokenizer)) is not None:
            self._progress.say(f"encoding in this process alone: {reason}")
            self._may_share = False
        return self._may_share


def _stays_here(tokenizer: Tokenizer) -> str | None:
    cls = type(tokenizer)
    if cls.__module__ == "__main__" or "<locals>" in cls.__qualname__:
        return f"another one cannot import {cls.__module__}.{cls.__qualname__}: move it to a file of its own"
    try:
        pickle.dumps((cls, tokenizer.options))
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        return f"{cls.__name__} does not travel to another one: {error}"
    return None


def _load(cls: type[Tokenizer], options: dict[str, Any], saved: Path, costs: np.ndarray | None) -> Encoder:
    tokenizer = cls(**options)
    tokenizer.load(saved)
    return Encoder(tokenizer, saved, costs)


def _excerpt(data: bytes, place: int) -> str:
    return repr(data[place : place + 20]) if place < len(data) else "nothing"
