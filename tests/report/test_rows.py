"""Rows from run folders: the arithmetic by hand, and every way in which a run can be less than ok."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy import stats

from zoo.report.rows import Arm, read_run, rows

MakeArm = Callable[..., Arm]
DIVERGED = {"status": "diverged", "reason": "loss not finite at step 12", "validation_bits_per_byte": None}
FAILED = '{"status": "failed", "reason": "ValueError: no", "seed": 1, "finished_at": "2026-01-01T00:00:00+00:00"}'


def test_arithmetic_over_seeds(make_arm: MakeArm) -> None:
    full = make_arm(
        "full",
        {
            0: {"validation_bits_per_byte": 2.0, "flops": 90, "tokens_per_second": 10.0, "peak_memory_bytes": 5},
            1: {"validation_bits_per_byte": 2.2, "flops": 100, "tokens_per_second": 40.0, "peak_memory_bytes": 9},
            2: {"validation_bits_per_byte": 2.4, "flops": 110, "tokens_per_second": 20.0, "peak_memory_bytes": 7},
        },
    )
    (row,) = rows([full], "full")
    assert row.status == "ok" and row.is_baseline and row.params == 420_096
    assert (row.flops, row.tokens_per_second, row.peak_memory_bytes) == (100.0, 20.0, 9)
    assert row.training_flops == 990_000_000_000 and row.optimizer_flops == 10_000_000_000
    assert row.bits_per_byte is not None and row.bits_per_byte.n == 3
    assert row.bits_per_byte.mean == pytest.approx(2.2)
    assert row.bits_per_byte.high == pytest.approx(2.2 + 4.302653 * 0.2 / 3**0.5, abs=1e-6)
    assert row.difference is None


def test_differences_are_paired_by_seed(make_arm: MakeArm) -> None:
    ours, theirs = {0: 2.00, 1: 2.11, 2: 2.19}, {0: 1.98, 1: 2.05, 2: 2.16}
    table = rows([make_arm("other", theirs), make_arm("full", ours)], "full")
    assert [row.name for row in table] == ["other", "full"]
    difference = table[0].difference
    assert difference is not None and difference.n == 3
    expected = stats.ttest_rel(list(theirs.values()), list(ours.values())).confidence_interval(0.95)
    assert (difference.low, difference.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_seeds_that_only_one_arm_has_do_not_count_in_the_difference(make_arm: MakeArm) -> None:
    table = rows([make_arm("full", {0: 2.0, 1: 2.0, 2: None}), make_arm("other", {0: None, 1: 2.5, 2: 2.5})], "full")
    assert table[1].difference is not None
    assert (table[1].difference.mean, table[1].difference.low, table[1].difference.n) == (0.5, None, 1)


def test_a_diverged_seed_takes_the_mean_but_not_the_row(make_arm: MakeArm) -> None:
    table = rows([make_arm("full", {0: 2.0, 1: 2.1}), make_arm("wild", {0: 1.5, 1: DIVERGED})], "full")
    assert table[1].bits_per_byte is None and table[1].difference is None
    assert table[1].status == "1/2 ok, 1 diverged: loss not finite at step 12"
    assert table[1].params == 420_096


def test_a_baseline_that_diverged_leaves_no_differences(make_arm: MakeArm) -> None:
    table = rows([make_arm("full", {0: DIVERGED, 1: 2.1}), make_arm("other", {0: 2.0, 1: 2.0})], "full")
    assert table[1].bits_per_byte is not None and table[1].difference is None


@pytest.mark.parametrize(
    ("runs", "status", "n"),
    [
        ({0: 2.0, 1: 2.1}, "ok", 2),
        ({0: 2.0, 1: None, 2: 2.1}, "2/3 ok, 1 missing", 2),
        ({0: None, 1: None}, "2/2 missing", 0),
        ({0: FAILED, 1: FAILED}, "failed: ValueError: no", 0),
        ({0: None, 1: FAILED, 2: 2.0}, "1/3 ok, 1 missing, 1 failed: ValueError: no", 1),
        ({0: DIVERGED, 1: DIVERGED}, "diverged: loss not finite at step 12", 0),
        ({0: '{"status": "oom"}', 1: 2.0}, "1/2 ok, 1 oom", 1),
        ({}, "no runs", 0),
    ],
)
def test_status_says_what_the_runs_are(make_arm: MakeArm, runs: dict, status: str, n: int) -> None:  # type: ignore[type-arg]
    (row,) = rows([make_arm("full", runs)], "full")
    assert row.status == status
    assert (row.bits_per_byte.n if row.bits_per_byte else 0) == n


@pytest.mark.parametrize("text", ["", '{"status": "ok", "validation_bits', "[1]", "{}", '{"status": 3}', "\x00"])
def test_a_damaged_result_is_a_failure_with_a_reason(make_arm: MakeArm, text: str) -> None:
    arm = make_arm("full", {0: text})
    (row,) = rows([arm], "full")
    assert row.status == f"failed: {arm.dirs[0] / 'result.json'} is damaged: running it again replaces it"


def test_a_folder_that_is_not_there_is_missing(tmp_path: Path) -> None:
    assert read_run(tmp_path / "nothing") == {"status": "missing"}


def test_figures_that_a_result_lacks_are_not_made_up(make_arm: MakeArm) -> None:
    runs = {0: '{"status": "ok"}', 1: json.dumps({"status": "ok", "mfu": None, "flops": float("nan"), "params": True})}
    (row,) = rows([make_arm("full", runs)], "full")
    assert row.status == "ok"
    found = (row.bits_per_byte, row.params, row.flops, row.mfu, row.tokens, row.peak_memory_bytes, row.optimizer_flops)
    assert found == (None,) * 7


def test_a_baseline_that_is_no_arm_is_refused(make_arm: MakeArm) -> None:
    with pytest.raises(ValueError, match="baseline 'ful' is not one of the arms: full, other"):
        rows([make_arm("full", {}), make_arm("other", {})], "ful")
