"""Live display of an ablation: arms x seeds in a terminal, plain lines anywhere else.

    with Progress([(arm, seed, dir), ...]) as display:
        for event in engine.run(dirs, needs):
            display.update(event)

Between events a thread of its own reads the progress.json files, so the caller has nothing else to do.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO

from zoo.ablation.engines.base import Event
from zoo.ablation.watch import (
    Run,
    cell,
    clock,
    describe,
    duration,
    outcome,
    read_progress,
    seconds_left,
)
from zoo.run import FINISHED, read_result

if TYPE_CHECKING:
    from rich.console import Group, RenderableType
    from rich.live import Live

REFRESH_PER_SECOND = 4
CELL_CHARS = 26  # the widest running cell: 123456/123456 12.345 12:34


class Progress:
    """Shows how far the runs are; a context manager.

    Args:
        runs: (arm, seed, folder) of each, in the order of the table; arms may share a folder.
        stream: where to; by default standard output. What is no terminal gets plain lines.
        line_seconds: a running run says so at most this often, in plain lines.
    """

    def __init__(
        self, runs: Iterable[tuple[str, int, Path]], *, stream: TextIO | None = None, line_seconds: float = 30.0
    ) -> None:
        self.runs = [Run(arm, seed, folder) for arm, seed, folder in runs]
        self.stream = sys.stdout if stream is None else stream
        self.line_seconds = line_seconds
        self._live: Live | None = None
        self._thread: threading.Thread | None = None
        self._lock, self._over = threading.Lock(), threading.Event()
        self._most_at_once = 1

    def __enter__(self) -> Progress:
        for run in self.runs:
            result = read_result(run.dir)
            if result.get("status") in FINISHED:
                run.settle(result)
        if self.stream.isatty() and os.environ.get("TERM") != "dumb":
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self.stream)
            self._live = Live(
                get_renderable=lambda: self.render(console.width),
                console=console,
                refresh_per_second=REFRESH_PER_SECOND,
            )
            self._live.start()
        else:
            if done := sum(run.over for run in self.runs):
                self._say(f"{done} of {len(self.runs)} runs are done already")
            self._thread = threading.Thread(target=self._tick_until_over, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._live is not None:
            self._live.stop()
        if self._thread is not None:
            self._thread.join()

    def update(self, event: Event) -> None:
        """Take note of an event of the engine."""
        with self._lock:
            for run in self.runs:
                if run.dir == event.dir:
                    self._note(run, event)
            self._most_at_once = max(self._most_at_once, sum(run.status == "running" for run in self.runs))

    def tick(self) -> None:
        """Say in plain lines where the running runs are that have not been heard of for `line_seconds`."""
        now = time.monotonic()
        with self._lock:
            for run in self.runs:
                if run.status == "running" and now - run.said_at >= self.line_seconds:
                    run.said_at = now
                    self._say(f"{run.name}: {describe(read_progress(run))}")

    def _note(self, run: Run, event: Event) -> None:
        if event.kind == "started":
            run.start()
            self._say(f"{run.name}: started")
        elif not run.over:  # one that was done before has been counted already
            run.settle(read_result(run.dir), event.reason)
            done = sum(other.over for other in self.runs)
            took = "" if run.seconds is None else f", {duration(run.seconds)}"
            self._say(f"[{done}/{len(self.runs)}] {run.name}: {outcome(run)}{took}")

    def _say(self, line: str) -> None:
        if self._live is None:
            print(line, file=self.stream, flush=True)

    def _tick_until_over(self) -> None:
        while not self._over.wait(1 / REFRESH_PER_SECOND):
            self.tick()

    # ------------------------------------------------------------------ terminal

    def render(self, width: int) -> Group:
        """The display at this moment, for a terminal of `width` characters."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        seeds = list(dict.fromkeys(run.seed for run in self.runs))
        cells: dict[tuple[str, int], Run] = {(run.arm, run.seed): run for run in self.runs}
        arms = list(dict.fromkeys(run.arm for run in self.runs))
        progress = {run.dir: read_progress(run) for run in self.runs if run.status == "running"}
        full = max(map(len, arms), default=0) + len(seeds) * (CELL_CHARS + 3) + 4 <= width
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("", no_wrap=True)
        for seed in seeds:
            table.add_column(f"seed {seed}", no_wrap=True)
        for arm in arms:
            row: list[RenderableType] = [Text(arm)]
            for seed in seeds:
                run = cells.get((arm, seed))
                row.append(Text("") if run is None else Text(*cell(run, progress.get(run.dir, {}), full=full)))
            table.add_row(*row)
        # The total stands on top: a terminal that is too low cuts the bottom off.
        return Group(Text(self.total(progress), style="bold"), table)

    def total(self, progress: dict[Path, dict[str, Any]]) -> str:
        """One line: how many are done, running, failed, and about how long the rest takes."""
        count = {status: sum(run.status == status for run in self.runs) for status in ("waiting", "running", "ok")}
        done = sum(run.over for run in self.runs)
        parts = [f"{done} of {len(self.runs)} done", f"{count['running']} running", f"{count['waiting']} waiting"]
        if done > count["ok"]:
            parts.insert(1, f"{done - count['ok']} of them not ok")
        left = seconds_left(self.runs, progress, self._most_at_once)
        if left is not None and done < len(self.runs):
            parts.append(f"about {clock(left)} left")
        return ", ".join(parts)
