"""LocalEngine: one process per run on this machine, as many at once as fit its cores.

A worker is `python -m zoo.run DIR --watch-stdin` in a session of its own, so that Ctrl-C reaches the engine only. The
engine holds the other end of the worker's standard input: when the engine dies, however it dies, the pipe closes and
the worker goes too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from zoo.ablation.engines.base import Engine, Event
from zoo.ablation.engines.deaths import cause, oom_kills
from zoo.ablation.engines.machine import usable_cores, usable_gpus
from zoo.files import write_atomically
from zoo.run import FINISHED, read_result

COMMAND = (sys.executable, "-m", "zoo.run")
NEEDS = ("cores", "gpus")
POLL_SECONDS = 0.05
GRACE_SECONDS = 5.0  # between SIGTERM and SIGKILL
LOCK_SECONDS = 2.0  # a dead worker's lock is free at once; one that is held belongs to a living worker
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


class LocalEngine(Engine):
    """Runs folders in processes of this machine.

    Args:
        jobs: runs at once. Default: as many as there are cores (or GPUs, where runs need them), at most one per folder,
            finished ones included: who asks again for what is missing gets the threads per run that the others had.
        num_threads: of each run. Default: the cores divided by `jobs`, so that they are not oversubscribed.
        timeout_seconds: of one run, after which it is stopped with status `timeout`.
        command: the worker, before the folder and `--watch-stdin`; tests replace it.

    Raises:
        ValueError: a number that is not above 0.
    """

    def __init__(
        self,
        *,
        jobs: int | None = None,
        num_threads: int | None = None,
        timeout_seconds: float | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        for name, value in (("jobs", jobs), ("num_threads", num_threads), ("timeout_seconds", timeout_seconds)):
            if value is not None and not value > 0:
                raise ValueError(f"{name}={value}: expected a number above 0")
        self.jobs, self.num_threads, self.timeout_seconds = jobs, num_threads, timeout_seconds
        self.command = tuple(command or COMMAND)

    def run(self, dirs: Sequence[Path], needs: Mapping[str, int]) -> Iterator[Event]:
        """See `Engine.run`. Two arms with one recipe share a folder: it runs once."""
        waiting = deque(dict.fromkeys(dirs))
        slots = self._slots(len(waiting), needs)
        workers: list[_Worker] = []
        try:
            while waiting or workers:
                while waiting and slots.free:
                    folder = waiting.popleft()
                    if read_result(folder).get("status") in FINISHED:
                        yield _event(folder)
                        continue
                    workers.append(_Worker.start(folder, self.command, slots.free.pop(0), slots.num_threads))
                    yield Event("started", folder)
                time.sleep(POLL_SECONDS if workers else 0)
                for worker in [w for w in workers if w.ended or w.seconds > (self.timeout_seconds or float("inf"))]:
                    event = worker.settle(self.timeout_seconds)
                    workers.remove(worker)
                    slots.free.append(worker.gpus)
                    yield event
        finally:
            _stop([worker.process for worker in workers])

    def _slots(self, num_runs: int, needs: Mapping[str, int]) -> _Slots:
        for key, amount in needs.items():
            if key not in NEEDS or not amount >= 0:
                raise ValueError(f"needs {key}={amount}: a local run can need {' and '.join(NEEDS)}, each 0 or more")
        cores, gpus_each = usable_cores(), int(needs.get("gpus", 0))
        jobs = fit_jobs(self.jobs, num_runs, max(1, int(needs.get("cores", 1))))
        gpus = usable_gpus() if gpus_each else []
        if gpus_each:
            if len(gpus) < gpus_each:
                raise ValueError(f"each run needs gpus={gpus_each}, and this machine offers {len(gpus)}")
            jobs = min(jobs, len(gpus) // gpus_each)
        shares = [gpus[i * gpus_each : (i + 1) * gpus_each] for i in range(jobs)]
        return _Slots(shares, self.num_threads or max(1, cores // jobs))


def fit_jobs(jobs: int | None, num_runs: int, cores_each: int = 1) -> int:
    """Runs at once: what was asked for, or else as many as fit the cores."""
    return jobs or max(1, min(usable_cores() // cores_each, num_runs))


@dataclass
class _Slots:
    """Places for runs: the GPUs of each free one (none of them where runs need none), and the threads each has."""

    free: list[list[str]]
    num_threads: int


@dataclass
class _Worker:
    """One living process, and what must be known of its folder from before it to judge what it left."""

    dir: Path
    process: subprocess.Popen[bytes]
    gpus: list[str]
    started_at: float
    log_start: int
    result_before: tuple[int, int] | None
    oom_kills_before: int | None

    @classmethod
    def start(cls, folder: Path, command: Sequence[str], gpus: list[str], num_threads: int) -> _Worker:
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **dict.fromkeys(THREAD_VARIABLES, str(num_threads))}
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        before, kills = _stamp(folder), oom_kills()
        with (folder / "log.txt").open("ab") as log:
            log_start = log.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                [*command, str(folder), "--watch-stdin"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        return cls(folder, process, gpus, time.monotonic(), log_start, before, kills)

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started_at

    def settle(self, timeout_seconds: float | None) -> Event:
        """Make sure that the worker and its children are gone and that a result says what happened."""
        in_time = self.ended
        _stop([self.process])
        if _stamp(self.dir) == self.result_before or not read_result(self.dir):
            if in_time:
                log = self.dir / "log.txt"
                code = self.process.returncode
                status, reason = cause(code, log, self.log_start, self.oom_kills_before, oom_kills())
            else:
                status, reason = "timeout", f"stopped after {timeout_seconds:g} seconds"
            if not _write_failure(self.dir, status, reason):
                return Event("failed", self.dir, f"{reason}; another process is running this folder")
        return _event(self.dir)


def _event(folder: Path) -> Event:
    result = read_result(folder)
    return Event("finished" if result.get("status") in FINISHED else "failed", folder, result.get("reason"))


def _stamp(folder: Path) -> tuple[int, int] | None:
    """Tells a result that was written since from an old one of an earlier attempt."""
    try:
        stat = (folder / "result.json").stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino


def _write_failure(folder: Path, status: str, reason: str) -> bool:
    """Write the result that a dead worker could not; not over a finished one, and not while another worker is at it."""
    seed = folder.name.removeprefix("seed-")
    result: dict[str, Any] = {
        "status": status,
        "reason": reason,
        "seed": int(seed) if seed.isdigit() else None,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        with FileLock(folder / ".lock", timeout=LOCK_SECONDS):
            if read_result(folder).get("status") not in FINISHED:
                write_atomically(folder / "result.json", json.dumps(result, indent=1))
    except Timeout:
        return False
    return True


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes with all that they started: asked first, killed after a while or when interrupted again."""
    try:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
    finally:
        for process in processes:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # the group outlives its leader as long as a child lives
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
