"""One table in four dresses: Markdown and terminal for people, CSV and JSON for programs.

All have the same columns. People get rounded numbers with units, programs full precision with the unit in the name.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, TextIO

from zoo.ablation.stats import Interval
from zoo.report import format as fmt
from zoo.report.grid import Grid, feet, one_line
from zoo.report.notes import DIFFERENT, differs, notes
from zoo.report.rows import Row

HEADINGS = (
    "variant",
    "params",
    "FLOPs",
    "tokens",
    "text",
    "bits per byte",
    "95 % CI",
    "difference from baseline",
    "95 % CI of difference",
    "tokens/s",
    "MFU",
    "peak memory",
    "predicted",
    "status",
)
OPTIONAL = ("predicted",)  # left out where no row has it
TEXT_COLUMNS = ("variant", "status")  # the others are numbers and stand at the right
STATUS_CHARS = 60  # longer reasons stand whole in the footer


def to_markdown(rows: Sequence[Row], footer: Sequence[str] = ()) -> str:
    """A GitHub table and under it the footer: the given lines, then those that follow from the results."""
    return f"{_grid(rows).to_markdown()}\n\n{feet([*footer, *notes(rows)])}"


def to_csv(rows: Sequence[Row]) -> str:
    """One line per row; an empty cell is not measured."""
    records = [_record(row) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def to_json(rows: Sequence[Row], footer: Sequence[str] = ()) -> str:
    """{"rows": [...], "footer": [...]}; null is not measured."""
    body = {"rows": [_record(row) for row in rows], "footer": [*footer, *notes(rows)]}
    return json.dumps(body, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def print_table(rows: Sequence[Row], footer: Sequence[str] = (), stream: TextIO | None = None) -> None:
    """Show the table in a terminal; where that is too narrow, its columns go on in further tables below.

    What is no terminal gets lines as long as they need to be.
    """
    _grid(rows).show([*footer, *notes(rows)], stream)


def _grid(rows: Sequence[Row]) -> Grid:
    styles = ["bold" if row.is_baseline else "" if row.status == "ok" else "red" for row in rows]
    cells = _cells(rows)
    shown = [
        i for i, heading in enumerate(HEADINGS) if heading not in OPTIONAL or any(row[i] != fmt.NONE for row in cells)
    ]
    headings, cells = [HEADINGS[i] for i in shown], [[row[i] for i in shown] for row in cells]
    return Grid(headings, cells, TEXT_COLUMNS, styles, folding="status")


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    """The table for people, without its headings."""
    values, differences = [row.bits_per_byte for row in rows], [row.difference for row in rows]
    decimals, fine = fmt.decimals_for(values), fmt.decimals_for(differences)
    cells = []
    for row in rows:
        diverged = any(result.get("status") == "diverged" for result in row.results.values())
        cells.append(
            [
                _name(row, rows),
                fmt.count(row.params),
                fmt.flops(row.flops),
                fmt.count(row.tokens),
                fmt.size(row.text_bytes),
                "diverged" if diverged else fmt.mean(row.bits_per_byte, decimals),
                fmt.ends(row.bits_per_byte, decimals),
                "baseline" if row.is_baseline else fmt.mean(row.difference, fine, signed=True),
                fmt.ends(row.difference, fine, signed=True),
                fmt.count(row.tokens_per_second),
                fmt.percent(row.mfu),
                fmt.memory(row.peak_memory_bytes),
                fmt.memory(row.predicted_peak_memory_bytes),
                _shorten(one_line(row.status)),
            ]
        )
    return cells


def _name(row: Row, rows: Sequence[Row]) -> str:
    return f"{row.name} {DIFFERENT}" if differs(row, rows) else row.name


def _record(row: Row) -> dict[str, Any]:
    """The table for programs: full precision, units in the names."""
    value, difference = row.bits_per_byte or _NOTHING, row.difference or _NOTHING
    return {
        "variant": row.name,
        "params": row.params,
        "flops": row.flops,
        "tokens": row.tokens,
        "text_bytes": row.text_bytes,
        "bits_per_byte": None if row.bits_per_byte is None else value.mean,
        "bits_per_byte_low": value.low,
        "bits_per_byte_high": value.high,
        "difference": None if row.difference is None else difference.mean,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "tokens_per_second": row.tokens_per_second,
        "mfu": row.mfu,
        "peak_memory_bytes": row.peak_memory_bytes,
        "predicted_peak_memory_bytes": row.predicted_peak_memory_bytes,
        "status": row.status,
        "is_baseline": row.is_baseline,
        "num_seeds": value.n,
        "num_paired_seeds": difference.n,
        "active_params": row.active_params,
        "training_flops": row.training_flops,
        "optimizer_flops": row.optimizer_flops,
        "mfu_palm": row.mfu_palm,
    }


_NOTHING = Interval(0.0, None, None, 0)


def _shorten(text: str) -> str:
    return text if len(text) <= STATUS_CHARS else text[: STATUS_CHARS - 1] + "…"
