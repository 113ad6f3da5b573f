"""Measured peaks: the protocol, the cache, and what is refused; memory. No test compares a time with a time."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.accounting import gemm_peak
from zoo.accounting.devices import Peak
from zoo.accounting.gemm_peak import cpu_name, measured_peak
from zoo.home import zoo_home

QUICK: dict[str, Any] = {"sizes": (8, 16), "seconds_per_size": 0.001}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def never_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise AssertionError("measured, although the cache has it")

    monkeypatch.setattr(gemm_peak, "_sweep", refuse)


def entries(home: Path) -> dict[str, Any]:
    return json.loads((home / "peaks.json").read_text())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_measures_and_says_how(dtype: torch.dtype) -> None:
    peak = measured_peak("cpu", dtype, **QUICK)
    assert peak.flops_per_second > 0
    assert peak.spread >= 0
    assert (peak.source, peak.dtype, peak.device_name) == ("measured_gemm", dtype, cpu_name())


def test_rate_is_the_flops_of_the_products_over_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that products advance by known seconds, every figure follows."""
    now = [0.0]
    products = []

    def product(a: torch.Tensor, b: torch.Tensor, *, out: torch.Tensor) -> None:
        products.append(len(a))
        now[0] += {10: 2.0, 20: 8.0, 40: 128.0}[len(a)]

    monkeypatch.setattr(gemm_peak.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(gemm_peak.torch, "mm", product)
    peak = measured_peak("cpu", torch.float32, sizes=(20, 10, 40), seconds_per_size=80.0, max_seconds=1000.0)
    # 2 * 10^3 / 2 s = 1000; 2 * 20^3 / 8 s = 2000; at 40 one of 1 + 3 + 5 products takes 128 s, more than is left.
    assert peak.flops_per_second == 2000.0
    assert peak.spread == 0.0
    assert {size: products.count(size) for size in products} == {10: 4 + 3 + 5 * 8, 20: 4 + 3 + 5 * 2, 40: 4}


@pytest.mark.parametrize("quick_is_transposed", [False, True])
def test_the_quicker_layout_gives_the_rate(quick_is_transposed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight of nn.Linear is transposed; libraries have other kernels for that."""
    now = [0.0]

    def product(a: torch.Tensor, b: torch.Tensor, *, out: torch.Tensor) -> None:
        now[0] += 1.0 if b.is_contiguous() is not quick_is_transposed else 10.0

    monkeypatch.setattr(gemm_peak.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(gemm_peak.torch, "mm", product)
    peak = measured_peak("cpu", torch.float32, sizes=(10,), seconds_per_size=5.0, max_seconds=1000.0)
    assert peak.flops_per_second == 2 * 10**3


def test_peak_is_the_median_block_of_the_best_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = {8: [1.0, 9.0, 2.0, 3.0, 2.0], 16: [4.0, 1.0, 3.0, 5.0, 2.0]}
    monkeypatch.setattr(gemm_peak, "_block_rates", lambda device, dtype, size, seconds, left: rates[size])
    peak = measured_peak("cpu", torch.float32, **QUICK)
    assert peak.flops_per_second == 3.0  # medians: 2 at size 8, 3 at size 16
    assert peak.spread == pytest.approx((5 - 1) / 3)


def test_second_call_reads_what_the_first_wrote(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = measured_peak("cpu", torch.float32, **QUICK)
    monkeypatch.setattr(gemm_peak, "_sweep", None)
    assert measured_peak("cpu", torch.float32) == first
    (key,) = entries(home)
    for part in (cpu_name(), torch.__version__, "float32", "matmul highest", f"{torch.get_num_threads()} threads"):
        assert part in key.split(" | ") or f"torch {part}" in key.split(" | ")


@pytest.mark.usefixtures("never_measures")
def test_planted_entry_is_used(home: Path) -> None:
    key = gemm_peak._key(torch.device("cpu"), cpu_name(), torch.bfloat16, 3, "highest")
    home.mkdir()
    (home / "peaks.json").write_text(json.dumps({key: {"flops_per_second": 123.0, "spread": 0.1}}))
    assert measured_peak("cpu", torch.bfloat16, 3) == Peak(123.0, "measured_gemm", torch.bfloat16, cpu_name(), 0.1)


@pytest.mark.parametrize(("planted", "kept"), [(1.0, False), (1e18, True)])
def test_measured_again_the_higher_is_kept(planted: float, kept: bool, home: Path) -> None:
    """A busy machine lowers a measurement, never raises it."""
    key = gemm_peak._key(torch.device("cpu"), cpu_name(), torch.float32, 1, "highest")
    home.mkdir()
    (home / "peaks.json").write_text(json.dumps({key: {"flops_per_second": planted, "spread": 0.5}}))
    peak = measured_peak("cpu", torch.float32, 1, matmul="highest", again=True, **QUICK)
    assert (peak.flops_per_second == planted) is kept
    assert measured_peak("cpu", torch.float32, 1, matmul="highest") == peak, "what was kept is what is read"


@pytest.mark.parametrize(
    ("spread", "age_seconds", "again"),
    [(0.1, 10**6, False), (0.5, 60, False), (0.5, 2 * 3600, True), (0.5, None, True)],
)
def test_what_a_busy_machine_gave_is_measured_again_after_a_while(
    spread: float, age_seconds: int | None, again: bool, home: Path
) -> None:
    key = gemm_peak._key(torch.device("cpu"), cpu_name(), torch.float32, 1, "highest")
    entry: dict[str, object] = {"flops_per_second": 1.0, "spread": spread}
    if age_seconds is not None:
        entry["measured_at"] = (datetime.now(UTC) - timedelta(seconds=age_seconds)).strftime(gemm_peak.TIME_FORMAT)
    home.mkdir()
    (home / "peaks.json").write_text(json.dumps({key: entry}))
    peak = measured_peak("cpu", torch.float32, 1, matmul="highest", **QUICK)
    assert (peak.flops_per_second > 1.0) is again


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[1]",
        "KEY: 3",
        '{"KEY": 3}',
        '{"KEY": {"flops_per_second": 0, "spread": 0}}',
        '{"KEY": {"flops_per_second": "fast", "spread": 0}}',
        '{"KEY": {"flops_per_second": NaN, "spread": 0}}',
        '{"KEY": {"flops_per_second": 5}}',
    ],
)
def test_spoilt_cache_is_measured_again(content: str, home: Path) -> None:
    key = gemm_peak._key(torch.device("cpu"), cpu_name(), torch.float32, torch.get_num_threads(), "highest")
    home.mkdir()
    (home / "peaks.json").write_text(content.replace("KEY", key))
    peak = measured_peak("cpu", torch.float32, **QUICK)
    assert peak.flops_per_second > 5
    assert entries(home)[key]["flops_per_second"] == peak.flops_per_second


def test_entries_are_kept_apart_and_together(home: Path) -> None:
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    measured_peak("cpu", torch.float32, **QUICK)
    measured_peak("cpu", torch.float32, before[0] + 1, **QUICK)
    measured_peak("cpu", torch.float32, matmul="medium", **QUICK)
    measured_peak("cpu", torch.float64, **QUICK)
    assert len(entries(home)) == 4
    assert (torch.get_num_threads(), torch.get_float32_matmul_precision()) == before


def test_measures_with_the_threads_and_the_switch_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, str]] = []

    def spy(*args: Any) -> list[float]:
        seen.append((torch.get_num_threads(), torch.get_float32_matmul_precision()))
        return [1.0]

    monkeypatch.setattr(gemm_peak, "_block_rates", spy)
    measured_peak("cpu", torch.float32, 2, matmul="medium", sizes=(8,))
    assert seen == [(2, "medium")]


def _measure_in_child(home: str) -> float:
    os.environ["ZOO_HOME"] = home
    return measured_peak("cpu", torch.float32, 1, **QUICK).flops_per_second


@pytest.mark.slow
def test_processes_that_ask_at_once_agree(home: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        rates = pool.map(_measure_in_child, [str(home)] * 3)
    assert len(set(rates)) == 1
    assert [path.name for path in home.iterdir() if path.name.endswith(".tmp")] == []


def test_refuses_what_it_cannot_measure() -> None:
    with pytest.raises(ValueError, match=r"^device='meta' has no measured peak: expected cpu or cuda$"):
        measured_peak("meta", torch.float32)
    expected = r"^dtype=int8 has no measured peak: expected one of float32, bfloat16, float16, float64$"
    with pytest.raises(ValueError, match=expected):
        measured_peak("cpu", torch.int8)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_measures_on_cuda() -> None:
    peak = measured_peak("cuda", torch.bfloat16, sizes=(1024, 4096), seconds_per_size=0.1)
    assert peak.device_name == torch.cuda.get_device_name()
    assert peak.flops_per_second > 1e12
    assert measured_peak("cuda", torch.bfloat16) == peak


def test_home_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert zoo_home() == tmp_path / "home"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ZOO_HOME", "~/zoo")
    assert zoo_home() == tmp_path / "zoo"
    for unset in (lambda: monkeypatch.setenv("ZOO_HOME", ""), lambda: monkeypatch.delenv("ZOO_HOME")):
        unset()
        assert zoo_home() == tmp_path / ".cache" / "zoo"
    assert not (tmp_path / ".cache").exists()


MEMORY = """
import subprocess, sys, torch
from zoo.accounting.gemm_peak import peak_memory_bytes
def peak():
    return peak_memory_bytes(torch.device("cpu"))
before = peak()
if len(sys.argv) == 1:
    held = torch.ones(100_000_000)
    assert peak() - before >= 390_000_000, (before, peak())
    del held
    assert peak() - before >= 390_000_000  # the most so far, not what is held
    subprocess.run([sys.executable, "-c", open(0).read(), "child", str(peak())], check=True, stdin=subprocess.DEVNULL)
else:
    assert before <= int(sys.argv[2]) - 300_000_000, "took the memory of its parent for its own"
"""


def test_peak_memory_is_of_this_process_alone() -> None:
    subprocess.run([sys.executable, "-c", MEMORY], input=MEMORY, text=True, check=True)
