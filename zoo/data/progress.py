"""How far a build is: a bar on a terminal, lines anywhere else."""

from __future__ import annotations

import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TextIO

Advance = Callable[[int, int], None]  # (documents, bytes) that were done since the last call


class Progress(ABC):
    """What a build tells of itself."""

    @abstractmethod
    def say(self, line: str) -> None:
        """A line that stays."""

    @abstractmethod
    def stage(self, what: str, details: str = "", total_bytes: int | None = None) -> AbstractContextManager[Advance]:
        """A stretch of work, in words, and its size where that is known."""


class LineProgress(Progress):
    """Lines for a function that takes them: each stage as it begins, and every few seconds how far it is."""

    def __init__(self, say: Callable[[str], Any], *, every_seconds: float = 2.0):
        self._say, self._every_seconds = say, every_seconds

    def say(self, line: str) -> None:
        self._say(line)

    @contextmanager
    def stage(self, what: str, details: str = "", total_bytes: int | None = None) -> Iterator[Advance]:
        self._say(what + details)
        done_documents = done_bytes = 0
        next_at = time.monotonic() + self._every_seconds

        def advance(num_documents: int, num_bytes: int) -> None:
            nonlocal done_documents, done_bytes, next_at
            done_documents, done_bytes = done_documents + num_documents, done_bytes + num_bytes
            if (now := time.monotonic()) >= next_at:
                next_at = now + self._every_seconds
                done = f"{done_bytes / total_bytes:.0%}" if total_bytes else f"{done_documents:,} documents"
                self._say(f"{what}: {done}")

        yield advance


class BarProgress(Progress):
    """One bar per stage, through `rich`.

    Args:
        bars: a started `rich.progress.Progress` with a field `done`.
    """

    def __init__(self, bars: Any):
        self._bars = bars

    def say(self, line: str) -> None:
        self._bars.console.print(line, markup=False, highlight=False)

    @contextmanager
    def stage(self, what: str, details: str = "", total_bytes: int | None = None) -> Iterator[Advance]:
        task = self._bars.add_task(what, total=total_bytes, done="")
        done_documents = done_bytes = 0

        def advance(num_documents: int, num_bytes: int) -> None:
            nonlocal done_documents, done_bytes
            done_documents, done_bytes = done_documents + num_documents, done_bytes + num_bytes
            said = f"{done_documents:,} documents, {done_bytes / 1e6:,.1f} MB"
            self._bars.update(task, completed=done_bytes, done=said)

        yield advance
        full = max(done_bytes, total_bytes or 0, 1)
        self._bars.update(task, total=full, completed=full)


@contextmanager
def display(stream: TextIO | None = None) -> Iterator[Progress]:
    """Bars where the stream (by default standard output) is a terminal, lines on it where it is none."""
    stream = sys.stdout if stream is None else stream
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        yield LineProgress(lambda line: print(line, file=stream, flush=True))
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(20))
    figures = (TextColumn("{task.fields[done]}"), TimeElapsedColumn(), TimeRemainingColumn())
    with Bars(*columns, *figures, console=Console(file=stream)) as bars:
        yield BarProgress(bars)


def as_progress(given: Progress | Callable[[str], Any] | None) -> Progress:
    """What a caller gave: a display, a function that takes lines, or nothing."""
    return given if isinstance(given, Progress) else LineProgress(given or (lambda line: None))
