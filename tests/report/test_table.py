"""The table: the same columns in every dress, rounded for people, exact for programs, with an honest footer."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from zoo.ablation.stats import Interval
from zoo.report import format as fmt
from zoo.report.notes import notes
from zoo.report.rows import Arm, Row, rows
from zoo.report.table import HEADINGS, print_table, to_csv, to_json, to_markdown

MakeArm = Callable[..., Arm]


@pytest.fixture
def table(make_arm: MakeArm) -> list[Row]:
    return rows(
        [
            make_arm("full", {0: 2.08, 1: 2.10, 2: 2.12}),
            make_arm("swiglu", {0: 2.05, 1: 2.06, 2: 2.10}),
            make_arm("wild", {0: 2.0, 1: 2.0, 2: {"status": "diverged", "reason": "loss not finite at step 12"}}),
        ],
        "full",
    )


def markdown_cells(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_markdown(table: list[Row]) -> None:
    text = to_markdown(table, ["Budget: 1e12 FLOPs."])
    heading, rule, full, swiglu, wild = markdown_cells(text)
    assert tuple(heading) == HEADINGS and len(rule) == len(HEADINGS)
    # s = 0.02: half width 4.3027 * 0.02 / sqrt(3) = 0.0497; the other columns as they are said to be rounded
    expected = ["full", "0.42M", "1.00e12", "1.64M", "4.92 MB", "2.100"]
    assert full == [*expected, "[2.050, 2.150]", "baseline", "-", "41.3k", "31.2%", "312 MiB", "298 MiB", "ok"]
    # differences -0.03, -0.04, -0.02: mean -0.03, s = 0.01, half width 0.02484
    assert swiglu[7:9] == ["-0.030", "[-0.055, -0.005]"]
    assert wild[5:9] == ["diverged", "-", "-", "-"] and wild[13] == "2/3 ok, 1 diverged: loss not finite at step 12"
    assert "\n- Budget: 1e12 FLOPs.\n- 95 % CI over seeds" in text


def test_what_no_run_predicted_has_no_column(make_arm: MakeArm) -> None:
    text = to_markdown(rows([make_arm("full", {0: 2.0}, predicted_peak_memory_bytes=None)], "full"))
    assert markdown_cells(text)[0] == [heading for heading in HEADINGS if heading != "predicted"]
    assert "Predicted" not in text


def test_markdown_cells_cannot_break_out(make_arm: MakeArm) -> None:
    reason = "KeyError: 'a|b'\nnext <class 'x'> \\"
    arm = make_arm("a|b", {0: {"status": "failed", "reason": reason}})
    text = to_markdown(rows([arm], "a|b"), ["one\nline"])
    cells = markdown_cells(text)
    assert [len(row) for row in cells] == [len(HEADINGS)] * 3
    assert cells[2][0] == r"a\|b" and cells[2][13] == r"failed: KeyError: 'a\|b' next &lt;class 'x'> \\"
    assert "- one line\n" in text


def test_a_long_reason_is_cut_in_the_cell_and_whole_below(make_arm: MakeArm) -> None:
    reason = "RuntimeError: " + "x" * 200
    text = to_markdown(rows([make_arm("full", {3: {"status": "failed", "reason": reason}})], "full"))
    assert len(markdown_cells(text)[2][13]) == 60
    assert f"- full, seed 3: failed: {reason}\n" in text


def test_csv_has_full_precision_and_empty_cells(table: list[Row]) -> None:
    records = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert [record["variant"] for record in records] == ["full", "swiglu", "wild"]
    assert float(records[1]["difference_low"]) == table[1].difference.low  # type: ignore[union-attr]
    assert float(records[0]["bits_per_byte"]) == table[0].bits_per_byte.mean  # type: ignore[union-attr]
    assert (records[0]["difference"], records[2]["bits_per_byte"], records[2]["difference_high"]) == ("", "", "")
    assert records[0]["peak_memory_bytes"] == str(312 * 2**20)
    assert float(records[0]["text_bytes"]) == 4_915_200
    assert records[1]["num_paired_seeds"] == "3"


def test_csv_keeps_names_with_commas_and_quotes(make_arm: MakeArm) -> None:
    arm = make_arm('a,"b', {0: 2.0})
    assert next(csv.DictReader(io.StringIO(to_csv(rows([arm], 'a,"b')))))["variant"] == 'a,"b'


def test_json_agrees_with_csv(table: list[Row]) -> None:
    body = json.loads(to_json(table, ["mine"]), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert body["footer"][0] == "mine" and len(body["footer"]) > 1
    for record, line in zip(body["rows"], csv.DictReader(io.StringIO(to_csv(table))), strict=True):
        assert {k: "" if v is None else str(v) for k, v in record.items()} == line


def printed(table: Iterable[Row], monkeypatch: pytest.MonkeyPatch, width: int | None = None) -> str:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return width is not None

    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    if width is not None:
        monkeypatch.setenv("COLUMNS", str(width))
    stream = Stream()
    print_table(list(table), ["mine [1]"], stream)
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())


def test_terminal_and_file_show_the_same_cells_as_markdown(table: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [" ".join(row).split() for row in markdown_cells(to_markdown(table))[2:]]
    for width in (None, 250):
        lines = [line.split() for line in printed(table, monkeypatch, width).splitlines()]
        assert all(row in lines for row in expected)


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_narrow_terminal_loses_nothing(table: list[Row], monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    text = printed(table, monkeypatch, width)
    body = text.split("mine [1]")[0]
    assert max(map(len, body.splitlines())) <= width
    words = body.split()
    for row in markdown_cells(to_markdown(table))[2:]:
        assert all(word in words for word in " ".join(row).split())
    assert body.count("swiglu") > 1  # each part names its rows


def test_footer_lines_are_not_cut_or_marked_up(table: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(table, monkeypatch, 60)
    assert "mine [1]" in text
    assert all(line in text for line in notes(table))


def foot(arms: list[Arm]) -> list[str]:
    return notes(rows(arms, "full"))


def test_footer_of_equal_rows(table: list[Row]) -> None:
    assert notes(table) == [
        "95 % CI over seeds: Student's t, n - 1 = 2 degrees of freedom. Differences from the baseline are paired by "
        "seed (paired t). Each interval stands for itself: none is corrected for comparing several variants.",
        "Bits per byte over 123,456 validation bytes, stride 64 tokens, mean context 213 bytes.",
        "FLOPs are training plus optimizer (the optimizer's share: 1.00%); MFU counts training alone.",
        "MFU against a measured GEMM peak of 61 GFLOP/s.",
        "Run on: a CPU, 1 thread per run, zoo 0.1.0, python 3.11.9, torch 2.13.0, lightning 2.6.6, "
        "commit 0123456789ab, peak memory is the process's resident set.",
        "Predicted memory: the tensors of a training step and what the process held before; validation is not in it.",
        "wild, seed 2: diverged: loss not finite at step 12",
    ]


def test_footer_says_when_one_seed_is_all(make_arm: MakeArm) -> None:
    lines = foot([make_arm("full", {0: 2.0}), make_arm("other", {0: 1.9})])
    assert lines[0] == "One seed per variant: no interval, and no difference here is evidence of anything."


def test_footer_says_when_the_baseline_has_no_figure(make_arm: MakeArm) -> None:
    lines = foot([make_arm("full", {0: None, 1: None}), make_arm("other", {0: 1.9, 1: 2.0})])
    assert lines[0] == "No differences: the baseline full has no figure of its own."


def test_rows_that_were_not_run_alike_are_marked(make_arm: MakeArm) -> None:
    versions = {"zoo": "0.1.0", "python": "3.11.9", "torch": "2.12.0", "lightning": "2.6.6"}
    arms = [
        make_arm("full", {0: 2.0, 1: 2.1}),
        make_arm("other", {0: 2.0, 1: 2.1}, versions=versions, dirty=True),
        make_arm("third", {0: 2.0, 1: {"validation_bits_per_byte": 2.1, "num_threads": 2}}),
        make_arm(
            "dead", {0: {"status": "failed", "reason": "x", "versions": None, "device": None, "num_threads": None}}
        ),
    ]
    lines = foot(arms)
    assert "† other: torch 2.12.0 (baseline: torch 2.13.0)." in lines
    assert "† other: commit 0123456789ab with local changes (baseline: commit 0123456789ab)." in lines
    assert "† third: 1 thread per run / 2 threads per run (baseline: 1 thread per run)." in lines
    names = [row[0] for row in markdown_cells(to_markdown(rows(arms, "full")))[2:]]
    assert names == ["full", "other †", "third †", "dead"]


def test_a_baseline_that_differs_from_itself_is_said(make_arm: MakeArm) -> None:
    arm = make_arm("full", {0: 2.0, 1: {"validation_bits_per_byte": 2.1, "device": "another CPU"}})
    assert "The baseline's own runs differ: a CPU / another CPU." in foot([arm])


@pytest.mark.parametrize(
    ("common", "expected"),
    [
        (
            {"mean_context_bytes": 99.6, "validation_stride": 32},
            "other: bits per byte over 123,456 validation bytes, stride 32 tokens, mean context 100 bytes.",
        ),
        (
            {"validation_bytes": 99},
            "WARNING: variants were scored on different numbers of bytes; their bits per byte do not compare.",
        ),
        ({"cost_notes": ["dense kernel"]}, "Cost of other: dense kernel"),
        ({"lossless": False}, "Lossy tokenizer, charged for what it lost: other."),
        (
            {"lossless": False, "validation_lost_bits": 61_728.0},
            "Lossy tokenizer, charged for what it lost: other (0.500 of its bits per byte).",
        ),
        (
            {"lossless": False, "lost_bits_model": "order-0 byte model"},
            "The charge: bits to spell what tokens do not tell, by an order-0 byte model.",
        ),
        ({"peak_flops_per_second": 9.89e14, "peak_source": "table"}, "MFU against a peak from table of 989 TFLOP/s."),
        ({"peak_flops_per_second": 6.4e10}, "MFU against a measured GEMM peak of 61 GFLOP/s to 64 GFLOP/s."),
        (
            {"optimizer_flops": 500_000_000_000},
            "FLOPs are training plus optimizer (the optimizer's share: 1.00% to 50.00%); MFU counts training alone.",
        ),
    ],
)
def test_footer_says_what_differs(make_arm: MakeArm, common: dict[str, Any], expected: str) -> None:
    base = [make_arm("full", {0: 2.0, 1: 2.1})]
    assert expected not in foot(base)
    assert expected in foot([*base, make_arm("other", {0: 2.0, 1: 2.1}, **common)])


def test_a_cost_note_of_all_rows_stands_once(make_arm: MakeArm) -> None:
    arms = [make_arm(name, {0: 2.0, 1: 2.1}, cost_notes=["dense kernel"]) for name in ("full", "other")]
    assert foot(arms).count("Cost: dense kernel") == 1


def test_arms_with_the_same_folders_are_said_to_be_the_same(make_arm: MakeArm) -> None:
    full = make_arm("full", {0: 2.0})
    assert "twin is the same configuration as full: they share their runs." in foot([full, Arm("twin", full.dirs)])


def test_a_table_of_nothing_but_missing_runs(tmp_path: Path) -> None:
    arms = [Arm(name, {0: tmp_path / name}) for name in ("full", "other")]
    table = rows(arms, "full")
    assert notes(table) == []
    assert markdown_cells(to_markdown(table))[3] == ["other", *["-"] * 11, "1/1 missing"]
    assert json.loads(to_json(table))["rows"][1]["flops"] is None


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "-"), (7, "7"), (999, "999"), (12_300, "12.3k"), (4_130, "4.13k"), (100_000, "0.10M"), (420_096, "0.42M"),
     (7.62e6, "7.62M"), (31_400_000, "31.4M"), (314e6, "314M"), (7.62e9, "7.62B")],
)  # fmt: skip
def test_counts(number: float | None, text: str) -> None:
    assert fmt.count(number) == text


def test_numbers_with_units() -> None:
    assert [fmt.flops(n) for n in (None, 1e12, 9.999e9, 0)] == ["-", "1.00e12", "1.00e10", "0.00e0"]
    assert [fmt.memory(n) for n in (None, 2**20 * 1.5, 2**20 * 312, 2**30 * 1.42)] == [
        "-",
        "1.5 MiB",
        "312 MiB",
        "1.42 GiB",
    ]
    assert [fmt.rate(n) for n in (6.1e10, 1.23e12, 1.5e15, 5e8)] == [
        "61 GFLOP/s",
        "1.2 TFLOP/s",
        "1.5 PFLOP/s",
        "0.5 GFLOP/s",
    ]
    assert [fmt.size(n) for n in (None, 999, 12_300, 420_096, 7.62e9)] == [
        "-",
        "999 B",
        "12.3 kB",
        "0.42 MB",
        "7.62 GB",
    ]
    assert [fmt.percent(n) for n in (None, 0.3123)] == ["-", "31.2%"]


@pytest.mark.parametrize(
    ("half_width", "decimals"), [(0.05, 3), (0.0123, 3), (0.0099, 4), (3.0, 3), (1e-9, 5), (0.0, 3)]
)
def test_decimals_follow_the_error(half_width: float, decimals: int) -> None:
    assert fmt.decimals_for([Interval(2.0, 2.0 - half_width, 2.0 + half_width, 3), None]) == decimals
