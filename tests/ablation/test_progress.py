"""The display: plain lines of a scripted ablation, the grid of a terminal, and the estimate of the time left."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from zoo.ablation.engines.base import Event
from zoo.ablation.progress import Progress
from zoo.ablation.watch import Run, clock, duration, read_progress, seconds_left

Cell = tuple[str, int, Path]


@pytest.fixture
def runs(tmp_path: Path) -> list[Cell]:
    cells = [(arm, seed, tmp_path / arm / f"seed-{seed}") for arm in ("full", "no_position") for seed in (0, 1)]
    for _, _, folder in cells:
        folder.mkdir(parents=True)
    return cells


def write(folder: Path, name: str, **values: Any) -> None:
    (folder / name).write_text(json.dumps(values))


def training(folder: Path, **values: Any) -> None:
    body = {"step": 412, "num_steps": 1000, "loss": 2.3124, "seconds_left": 83.2, "phase": "train"}
    write(folder, "progress.json", **{**body, **values})


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def grid(display: Progress, width: int = 120) -> str:
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=width).print(display.render(width))
    return out.getvalue()


def test_plain_lines(runs: list[Cell]) -> None:
    out = io.StringIO()
    dirs = [folder for _, _, folder in runs]
    with Progress(runs, stream=out) as display:
        display.update(Event("started", dirs[0]))
        write(dirs[0], "result.json", status="ok", validation_bits_per_byte=2.13449)
        display.update(Event("finished", dirs[0]))
        display.update(Event("started", dirs[1]))
        write(dirs[1], "result.json", status="diverged", reason="loss not finite at step 12")
        display.update(Event("finished", dirs[1], "loss not finite at step 12"))
        write(dirs[2], "result.json", status="oom", reason="killed by the kernel: out of memory")
        display.update(Event("started", dirs[2]))
        display.update(Event("failed", dirs[2], "killed by the kernel: out of memory"))
        display.update(Event("started", dirs[3]))
        display.update(Event("failed", dirs[3], "in use"))
    assert out.getvalue().splitlines() == [
        "full seed 0: started",
        "[1/4] full seed 0: ok, 2.134 bits per byte, 0 s",
        "full seed 1: started",
        "[2/4] full seed 1: diverged: loss not finite at step 12, 0 s",
        "no_position seed 0: started",
        "[3/4] no_position seed 0: oom: killed by the kernel: out of memory, 0 s",
        "no_position seed 1: started",
        "[4/4] no_position seed 1: failed: in use, 0 s",
    ]


def test_what_was_done_before_counts_as_done(runs: list[Cell]) -> None:
    out = io.StringIO()
    for _, _, folder in runs[:2]:
        write(folder, "result.json", status="ok", validation_bits_per_byte=2.0)
    write(runs[2][2], "result.json", status="failed", reason="before")
    with Progress(runs, stream=out) as display:
        display.update(Event("finished", runs[0][2]))  # an engine may say so once more
        display.update(Event("started", runs[2][2]))
        write(runs[2][2], "result.json", status="ok", validation_bits_per_byte=2.5)
        display.update(Event("finished", runs[2][2]))
        assert display.total({}).startswith("3 of 4 done, 0 running, 1 waiting")
    assert out.getvalue().splitlines() == [
        "2 of 4 runs are done already",
        "no_position seed 0: started",
        "[3/4] no_position seed 0: ok, 2.500 bits per byte, 0 s",
    ]


def test_a_long_run_is_heard_of_now_and_then(runs: list[Cell]) -> None:
    out = io.StringIO()
    folder, began = runs[0][2], time.monotonic()
    with Progress(runs, stream=out, line_seconds=0.3) as display:
        display.update(Event("started", folder))
        training(folder)
        time.sleep(0.9)
    lines = out.getvalue().splitlines()[1:]
    assert set(lines) == {"full seed 0: step 412/1000, loss 2.312 nats per token, 1 min 23 s left"}
    assert 1 <= len(lines) <= (time.monotonic() - began) / 0.3


def test_ticks_within_the_interval_say_nothing(runs: list[Cell]) -> None:
    display = Progress(runs, stream=io.StringIO(), line_seconds=30)
    display.update(Event("started", runs[0][2]))
    display.tick()
    assert display.stream.getvalue() == "full seed 0: started\n"  # type: ignore[attr-defined]


def test_arms_that_share_a_folder_share_its_state(runs: list[Cell]) -> None:
    folder = runs[0][2]
    display = Progress([("full", 0, folder), ("twin", 0, folder)], stream=io.StringIO())
    display.update(Event("started", folder))
    write(folder, "result.json", status="ok", validation_bits_per_byte=2.0)
    display.update(Event("finished", folder))
    assert display.total({}) == "2 of 2 done, 0 running, 0 waiting"


def test_the_grid_shows_arms_by_seeds(runs: list[Cell]) -> None:
    display = Progress(runs, stream=Terminal())
    dirs = [folder for _, _, folder in runs]
    for folder in dirs[:3]:
        display.update(Event("started", folder))
    training(dirs[0])
    training(dirs[1], phase="validate")
    write(dirs[2], "result.json", status="diverged", reason="loss not finite at step 12")
    display.update(Event("finished", dirs[2]))
    total, headings, full, no_position = (line.rstrip() for line in grid(display).splitlines())
    assert total.startswith("1 of 4 done, 1 of them not ok, 2 running, 1 waiting, about ")
    assert headings.split() == ["seed", "0", "seed", "1"]
    assert full.split() == ["full", "412/1000", "2.312", "1:23", "412/1000", "2.312", "validating"]
    assert no_position.split() == ["no_position", "diverged", "waiting"]


def test_a_narrow_terminal_gets_short_cells(runs: list[Cell]) -> None:
    display = Progress(runs, stream=Terminal())
    display.update(Event("started", runs[0][2]))
    training(runs[0][2])
    write(runs[1][2], "result.json", status="ok", validation_bits_per_byte=2.0)
    display.update(Event("finished", runs[1][2]))
    lines = grid(display, 50).splitlines()
    assert max(map(len, lines)) <= 50
    assert lines[2].split() == ["full", "41%", "1:23", "ok", "2.000"]
    assert grid(display, 200).splitlines()[2].split() == [
        "full",
        "412/1000",
        "2.312",
        "1:23",
        "ok",
        "2.000",
        "bits/byte",
    ]


def test_a_terminal_is_drawn_while_the_runs_run(runs: list[Cell]) -> None:
    out = Terminal()
    with Progress(runs, stream=out) as display:
        display.update(Event("started", runs[0][2]))
        training(runs[0][2])
        deadline = time.monotonic() + 60
        while "412/1000" not in (seen := out.getvalue()) and time.monotonic() < deadline:
            time.sleep(0.05)
        write(runs[0][2], "result.json", status="ok", validation_bits_per_byte=2.25)
        display.update(Event("finished", runs[0][2]))
    assert "412/1000" in seen and "started" not in seen
    assert "ok 2.25" in out.getvalue()[len(seen) :]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"step": null}', '{"step": 3, "num_steps": "x"}', '{"loss": NaN}']
)
def test_an_unreadable_progress_file_is_a_run_that_starts(runs: list[Cell], text: str) -> None:
    display = Progress(runs, stream=io.StringIO(), line_seconds=0)
    display.update(Event("started", runs[0][2]))
    (runs[0][2] / "progress.json").write_text(text)
    display.tick()
    assert display.stream.getvalue().endswith("full seed 0: starting\n")  # type: ignore[attr-defined]
    assert grid(display).splitlines()[2].split()[:2] == ["full", "starting"]


def test_progress_of_an_earlier_attempt_is_not_shown(runs: list[Cell]) -> None:
    folder = runs[0][2]
    training(folder)
    os.utime(folder / "progress.json", (time.time() - 60,) * 2)
    run = Run("full", 0, folder)
    run.start()
    assert read_progress(run) == {}
    training(folder, step=1)
    assert read_progress(run)["step"] == 1


def test_steps_that_nobody_knows_yet_are_not_shown(runs: list[Cell]) -> None:
    display = Progress(runs, stream=io.StringIO(), line_seconds=0)
    display.update(Event("started", runs[0][2]))
    training(runs[0][2], num_steps=10**9, seconds_left=None)
    display.tick()
    assert display.stream.getvalue().endswith("full seed 0: step 412, loss 2.312 nats per token\n")  # type: ignore[attr-defined]


def run_of(arm: str, seed: int, status: str, seconds: float | None = None) -> Run:
    run = Run(arm, seed, Path(arm) / str(seed), status, seconds=seconds)
    run.started_at = time.monotonic() if status == "running" else None
    return run


def test_time_left_by_hand() -> None:
    """Two places: one is free after 10 s, one after 30 s. b takes what its other seed takes, c the mean of all."""
    runs = [
        run_of("a", 0, "running"),
        run_of("b", 0, "running"),
        run_of("c", 0, "waiting"),
        run_of("b", 1, "waiting"),
    ]
    left = seconds_left(runs, {runs[0].dir: {"seconds_left": 10.0}, runs[1].dir: {"seconds_left": 30.0}}, at_once=2)
    # known: a 10 s, b 30 s, mean 20 s. c runs from 10 to 30, b seed 1 from 30 to 60
    assert left == pytest.approx(60.0, abs=0.5)


def test_time_left_from_what_is_done() -> None:
    runs = [run_of("a", 0, "ok", 12.0), run_of("a", 1, "waiting"), run_of("b", 0, "waiting")]
    assert seconds_left(runs, {}, at_once=1) == 24.0
    assert seconds_left(runs, {}, at_once=2) == 12.0


def test_time_left_is_unknown_before_anything_is_known() -> None:
    assert seconds_left([run_of("a", 0, "running"), run_of("a", 1, "waiting")], {}, at_once=1) is None


@pytest.mark.parametrize(
    ("seconds", "words", "digits"),
    [(0.4, "0 s", "0:00"), (59.6, "1 min 0 s", "1:00"), (245, "4 min 5 s", "4:05"), (7800, "2 h 10 min", "2:10:00")],
)
def test_durations(seconds: float, words: str, digits: str) -> None:
    assert (duration(seconds), clock(seconds)) == (words, digits)
