"""Why a worker died without leaving a result: signals, the kernel's out-of-memory killer, the last words of its log."""

from __future__ import annotations

import signal
from pathlib import Path

LOG_TAIL_BYTES = 64 * 1024
REASON_CHARS = 300


def cause(
    returncode: int, log: Path, log_start: int, kills_before: int | None, kills_now: int | None
) -> tuple[str, str]:
    """Status and reason of a worker that ended by itself, without a result.

    SIGKILL counts as `oom` when the out-of-memory killer of our cgroup was at work while the worker lived.

    Args:
        returncode: as subprocess gives it; negative for a signal.
        log: the worker's output.
        log_start: bytes of the log that are older than this worker.
        kills_before, kills_now: `oom_kills()` when the worker started, and after it died.
    """
    where = f"log: {log}"
    if returncode == -signal.SIGKILL:
        if kills_before is None or kills_now is None:
            return "failed", f"killed by signal 9 (out of memory?); {where}"
        if kills_now > kills_before:
            return "oom", f"killed by the kernel: out of memory; {where}"
        return "failed", f"killed by signal 9, not for lack of memory; {where}"
    words = last_words(log, log_start)
    if returncode > 0:
        return "failed", f"{words or 'no output'} (exit code {returncode}); {where}"
    how = "ended without a result" if returncode == 0 else f"killed by signal {-returncode} ({_name(-returncode)})"
    return "failed", f"{how}{': ' if words else ''}{words}; {where}"


def last_words(log: Path, start: int = 0) -> str:
    """The line of a log that says most: the exception of the last traceback, a fatal error, or the last line at all."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(start, size - LOG_TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    lines = [line.rstrip() for line in lines if line.strip()]
    openings = [i for i, line in enumerate(lines) if line.startswith(("Traceback (most recent", "Fatal Python error"))]
    if openings:
        last = openings[-1]
        if lines[last].startswith("Fatal"):
            return lines[last][:REASON_CHARS]
        exceptions = [line for line in lines[last + 1 :] if not line[0].isspace()]
        if exceptions:  # below a traceback everything is indented but the exception itself
            return exceptions[0][:REASON_CHARS]
    return lines[-1].strip()[:REASON_CHARS] if lines else ""


def oom_kills(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """How many processes of our cgroup the kernel has killed for lack of memory; None where no counter is readable.

    The cgroup's counter (v2 `memory.events`, v1 `memory.oom_control`) also counts kills for lack of memory of the whole
    machine; where there is none, `/proc/vmstat` counts those of the whole machine.
    """
    for path in (*_cgroup_counters(proc, cgroups), proc / "vmstat"):
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, value = line.partition(" ")
            if name == "oom_kill" and value.strip().isdigit():
                return int(value)
    return None


def _cgroup_counters(proc: Path, cgroups: Path) -> list[Path]:
    try:
        entries = (proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    v1, v2 = cgroups / "memory", cgroups
    paths = []
    for entry in entries:
        _, controllers, path = (*entry.split(":", 2), "", "")[:3]
        inside = path.lstrip("/")
        if "memory" in controllers.split(","):  # a container may see its own group as the root: hence both
            paths += [v1 / inside / "memory.oom_control", v1 / "memory.oom_control"]
        elif not controllers:
            paths += [v2 / inside / "memory.events", v2 / "memory.events"]
    return paths


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
