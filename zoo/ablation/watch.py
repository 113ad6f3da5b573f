"""What a display shows of a run while it runs: read from the folder, put in words."""

from __future__ import annotations

import heapq
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UNKNOWN_STEPS = 10**9  # a budget of seconds does not know its number of steps at first


@dataclass
class Run:
    """One cell of the display: `status` is `waiting`, `running`, or the one of its result."""

    arm: str
    seed: int
    dir: Path
    status: str = "waiting"
    started_at: float | None = None
    started_wall: float = 0.0
    seconds: float | None = None
    bits_per_byte: float | None = None
    reason: str | None = None
    said_at: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.arm} seed {self.seed}"

    @property
    def over(self) -> bool:
        return self.status not in ("waiting", "running")

    def start(self) -> None:
        self.status, self.started_at, self.started_wall = "running", time.monotonic(), time.time()
        self.said_at = self.started_at

    def settle(self, result: Mapping[str, Any], reason: str | None = None) -> None:
        """Take what result.json says; one that says nothing is a failure, for `reason`."""
        self.status = str(result.get("status", "failed"))
        self.reason = result.get("reason") or reason
        self.bits_per_byte = number(result.get("validation_bits_per_byte"))
        self.seconds = None if self.started_at is None else time.monotonic() - self.started_at


def seconds_left(runs: Sequence[Run], progress: Mapping[Path, Mapping[str, Any]], at_once: int) -> float | None:
    """Time until all are done, if what waits takes as long as what has been seen; None before anything is known.

    Args:
        progress: progress.json of the running ones.
        at_once: how many can run at the same time.
    """
    now = time.monotonic()
    known = [(run.arm, run.seconds) for run in runs if run.status == "ok" and run.seconds is not None]
    running: dict[Path, float | None] = {}
    for run in runs:
        if run.status == "running" and run.started_at is not None:
            left = running[run.dir] = number(progress.get(run.dir, {}).get("seconds_left"))
            if left is not None:
                known.append((run.arm, now - run.started_at + left))
    if not known:
        return None
    overall = sum(seconds for _, seconds in known) / len(known)
    slots = [overall if left is None else left for left in running.values()]
    slots += [0.0] * max(0, at_once - len(slots))
    heapq.heapify(slots)
    waiting = {run.dir: run.arm for run in runs if run.status == "waiting"}  # arms may share a folder
    for arm in waiting.values():
        of_arm = [seconds for name, seconds in known if name == arm]
        heapq.heapreplace(slots, slots[0] + (sum(of_arm) / len(of_arm) if of_arm else overall))
    return max(slots)


def read_progress(run: Run) -> dict[str, Any]:
    """progress.json of a running run; empty where there is none yet, or only that of an earlier attempt."""
    path = run.dir / "progress.json"
    try:
        if path.stat().st_mtime < run.started_wall - 1:  # a second: file systems' clocks are coarse
            return {}
        progress = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return progress if isinstance(progress, dict) else {}


def duration(seconds: float) -> str:
    """23 s, 4 min 5 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def clock(seconds: float) -> str:
    """0:23, 4:05, 2:10:00."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def cell(run: Run, progress: Mapping[str, Any], *, full: bool) -> tuple[str, str]:
    """Text and style of one run in the grid; short where not `full`."""
    if run.status == "ok":
        unit = " bits/byte" if full else ""
        return ("ok" if run.bits_per_byte is None else f"ok {run.bits_per_byte:.3f}{unit}"), "green"
    if run.over:
        return run.status, "red"
    if run.status == "waiting":
        return "waiting" if full else ".", "dim"
    step, num_steps, phase = progress.get("step"), progress.get("num_steps"), progress.get("phase")
    if not isinstance(step, int) or not isinstance(num_steps, int):
        return "starting", "cyan"
    loss, left = number(progress.get("loss")), number(progress.get("seconds_left"))
    if full:
        parts = [f"{step}/{num_steps}" if num_steps < UNKNOWN_STEPS else f"step {step}"]
        parts += [] if loss is None else [f"{loss:.3f}"]
    else:
        parts = [f"{step / max(1, num_steps):.0%}" if num_steps < UNKNOWN_STEPS else f"step {step}"]
    parts += ["validating"] if phase == "validate" else [] if left is None else [clock(left)]
    return " ".join(parts), "cyan"


def describe(progress: Mapping[str, Any]) -> str:
    """A running run, in a plain line."""
    step, num_steps = progress.get("step"), progress.get("num_steps")
    if not isinstance(step, int) or not isinstance(num_steps, int):
        return "starting"
    parts = [f"step {step}/{num_steps}" if num_steps < UNKNOWN_STEPS else f"step {step}"]
    loss, left = number(progress.get("loss")), number(progress.get("seconds_left"))
    parts += [] if loss is None else [f"loss {loss:.3f} nats per token"]
    validating = progress.get("phase") == "validate"
    parts += ["validating"] if validating else [] if left is None else [f"{duration(left)} left"]
    return ", ".join(parts)


def outcome(run: Run) -> str:
    """A run that is over, in a plain line."""
    if run.status == "ok":
        return "ok" if run.bits_per_byte is None else f"ok, {run.bits_per_byte:.3f} bits per byte"
    return run.status if run.reason is None else f"{run.status}: {run.reason}"


def number(value: Any) -> float | None:
    """A finite number, or None."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
