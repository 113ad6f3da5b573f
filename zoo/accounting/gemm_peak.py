"""What large matrix products reach on a device, in the dtype that a run multiplies in; and how much memory was taken.

Arithmetic from a CPU's datasheet (cores x width x clock) is not honest: clocks drop under wide vectors, and neighbours
share the units. By this protocol an MFU above 1 is noise: products of a run are of these layouts, and none is quicker.
"""

from __future__ import annotations

import json
import math
import platform
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock

from zoo.accounting.devices import Peak
from zoo.files import write_atomically
from zoo.home import zoo_home

CPU_SIZES = (256, 512, 1024, 2048)  # rows and columns; the best one depends on caches, so the peak is over all
CUDA_SIZES = (1024, 2048, 4096, 8192)
NUM_BLOCKS = 5
NUM_WARMUPS = 3
UNSTABLE_SPREAD = 0.15  # of blocks around their median: from here on the machine was busy
TRUSTED_SECONDS = 3600.0  # how long such a measurement stands, so that not every process takes one
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"
DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def measured_peak(
    device: torch.device | str,
    dtype: torch.dtype,
    num_threads: int | None = None,
    *,
    matmul: str | None = None,
    sizes: Sequence[int] | None = None,
    seconds_per_size: float = 0.5,
    max_seconds: float = 4.0,
    again: bool = False,
) -> Peak:
    """The peak of a device: measured the first time, then read from `peaks.json` in `zoo_home()`. One whose blocks
    differed by more than 15 % is measured again after an hour, and the higher kept.

    One process measures at a time; others wait for it, and so do not disturb it.

    Args:
        device: cpu or cuda.
        dtype: that the run multiplies in.
        num_threads: of the CPU; None: as many as torch uses now.
        matmul: torch's switch for float32 products ("highest", "high", "medium"); None: as it stands now.
        sizes: of the square matrices; None: a sweep that suits the device.
        seconds_per_size: how long each size is run.
        max_seconds: a size that would take the whole sweep past this is left out (float16 on a CPU is 100 times slower
            than float32).
        again: measure also where there is an entry, and keep the higher: what disturbs a measurement only lowers it,
            and a peak that was taken on a busy machine would flatter every MFU after it.

    Raises:
        ValueError: a device or dtype that has no such measurement.
    """
    device = torch.device(device)
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device={str(device)!r} has no measured peak: expected cpu or cuda")
    if dtype not in DTYPES:
        expected = ", ".join(map(_word, DTYPES))
        raise ValueError(f"dtype={_word(dtype)} has no measured peak: expected one of {expected}")
    num_threads = num_threads or torch.get_num_threads()
    matmul = matmul or torch.get_float32_matmul_precision()
    name = cpu_name() if device.type == "cpu" else torch.cuda.get_device_name(device)
    sizes = sizes or (CPU_SIZES if device.type == "cpu" else CUDA_SIZES)

    def measure() -> dict[str, Any]:
        with _Settings(num_threads, matmul):
            entry = _sweep(device, dtype, sizes, seconds_per_size, max_seconds)
        if device.type == "cuda":
            torch.cuda.empty_cache()  # a run starts with the memory it would have had
        return entry

    entry = _cached(zoo_home() / "peaks.json", _key(device, name, dtype, num_threads, matmul), measure, again)
    return Peak(float(entry["flops_per_second"]), "measured_gemm", dtype, name, float(entry["spread"]))


def _cached(path: Path, key: str, measure: Callable[[], dict[str, Any]], again: bool) -> Any:
    """The entry of a cache file, measured under the file's lock if it is not there, makes no sense, or may be low."""
    entry = _read(path).get(key)
    if _valid(entry) and not again and not _doubtful(entry):
        return entry
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        entry = _read(path).get(key)  # whoever held the lock may have measured just this
        if not _valid(entry) or again or _doubtful(entry):
            fresh = measure()
            if entry is not None and _valid(entry) and _rate(entry) > _rate(fresh):
                fresh = entry | {"measured_at": fresh["measured_at"]}  # what disturbs can only lower it
            entry = fresh
            write_atomically(path, json.dumps(_read(path) | {key: entry}, indent=1, sort_keys=True))
    return entry


def _doubtful(entry: Any) -> bool:
    """Whether an entry was taken on a busy machine, and not just now."""
    if entry["spread"] <= UNSTABLE_SPREAD:
        return False
    try:
        taken = datetime.strptime(entry["measured_at"], TIME_FORMAT)
    except (KeyError, TypeError, ValueError):
        return True
    return (datetime.now(UTC) - taken).total_seconds() > TRUSTED_SECONDS


def _rate(entry: dict[str, Any]) -> float:
    return float(entry["flops_per_second"])


def cpu_name() -> str:
    """The model of this machine's CPU."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory so far: allocated by torch on CUDA, resident in this process otherwise."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:  # not getrusage: on Linux its figure starts from that of the process that started this one
        found = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _key(device: torch.device, name: str, dtype: torch.dtype, num_threads: int, matmul: str) -> str:
    """Everything that another measurement would follow from."""
    parts = [name, f"torch {torch.__version__}", _word(dtype), "both layouts"]
    if dtype == torch.float32:
        parts.append(f"matmul {matmul}")
    if device.type == "cpu":
        blas = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
        parts += [blas[1] if blas else "no blas", torch.backends.cpu.get_cpu_capability(), f"{num_threads} threads"]
    return " | ".join(parts)


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _read(path: Path) -> dict[str, Any]:
    """The cache; empty where there is none or it cannot be read, so that the peak is measured again."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _valid(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    numbers: list[Any] = [entry.get("flops_per_second"), entry.get("spread")]
    return all(isinstance(n, int | float) and math.isfinite(n) for n in numbers) and numbers[0] > 0


class _Settings:
    """Threads and the float32 switch for the time of a measurement."""

    def __init__(self, num_threads: int, matmul: str):
        self.wanted = (num_threads, matmul)

    def __enter__(self) -> None:
        self.before = (torch.get_num_threads(), torch.get_float32_matmul_precision())
        self._set(*self.wanted)

    def __exit__(self, *error: object) -> None:
        self._set(*self.before)

    def _set(self, num_threads: int, matmul: str) -> None:
        if num_threads != torch.get_num_threads():
            torch.set_num_threads(num_threads)
        torch.set_float32_matmul_precision(matmul)


def _sweep(
    device: torch.device, dtype: torch.dtype, sizes: Sequence[int], seconds_per_size: float, max_seconds: float
) -> dict[str, Any]:
    """The size whose median block is fastest. The smallest size is always measured."""
    deadline = time.perf_counter() + max_seconds
    best: dict[str, Any] = {}
    for size in sorted(sizes):
        left = math.inf if not best else deadline - time.perf_counter()
        block_rates = _block_rates(device, dtype, size, seconds_per_size, left)
        if not block_rates:
            break  # larger ones take longer still
        median = statistics.median(block_rates)
        if not best or median > best["flops_per_second"]:
            spread = (max(block_rates) - min(block_rates)) / median
            best = {"flops_per_second": median, "spread": spread, "best": max(block_rates), "size": size}
    return best | {"measured_at": datetime.now(UTC).strftime(TIME_FORMAT)}


@torch.inference_mode()
def _block_rates(device: torch.device, dtype: torch.dtype, size: int, seconds: float, left: float) -> list[float]:
    """FLOPs per second of each block of back-to-back products; empty where they would take more than `left` seconds."""
    a, b, out = (torch.empty(size, size, dtype=dtype, device=device) for _ in range(3))
    a.normal_()
    b.normal_()

    # As it stands and as nn.Linear has its weight: libraries pick other kernels, in bfloat16 on a CPU 13 times slower.
    products = [partial(torch.mm, a, b, out=out), partial(torch.mm, a, b.t(), out=out)]
    for product in products:
        _seconds(product, 1, device)  # loads the library, picks a kernel
    once, product = min(((_seconds(each, 1, device), each) for each in products), key=lambda timed: timed[0])
    repeats = max(1, round(seconds / NUM_BLOCKS / once))
    if once * (NUM_WARMUPS + NUM_BLOCKS * repeats) > left:
        return []
    _seconds(product, NUM_WARMUPS, device)
    flops = 2 * size**3 * repeats
    return [flops / _seconds(product, repeats, device) for _ in range(NUM_BLOCKS)]


def _seconds(product: Callable[[], Any], repeats: int, device: torch.device) -> float:
    """Of back-to-back products; on CUDA by events, so that what the host needs to launch them does not count."""
    if device.type == "cpu":
        began = time.perf_counter()
        for _ in range(repeats):
            product()
        return time.perf_counter() - began
    with torch.cuda.device(device):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(repeats):
            product()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3
