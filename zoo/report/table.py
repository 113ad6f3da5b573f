"""One table in four dresses: Markdown and terminal for people, CSV and JSON for programs.

All have the same columns. People get rounded numbers with units, programs full precision with the unit in the name.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TextIO

from zoo.ablation.stats import Interval
from zoo.report import format as fmt
from zoo.report.notes import DIFFERENT, differs, notes
from zoo.report.rows import Row

if TYPE_CHECKING:
    from rich.table import Table

HEADINGS = (
    "variant",
    "params",
    "FLOPs",
    "tokens",
    "bits per byte",
    "95 % CI",
    "difference from baseline",
    "95 % CI of difference",
    "tokens/s",
    "MFU",
    "peak memory",
    "status",
)
TEXT_COLUMNS = ("variant", "status")  # the others are numbers and stand at the right
STATUS_CHARS = 60  # longer reasons stand whole in the footer
NARROW_STATUS_CHARS = 24  # where the table has to be cut, its status folds


def to_markdown(rows: Sequence[Row], footer: Sequence[str] = ()) -> str:
    """A GitHub table and under it the footer: the given lines, then those that follow from the results."""
    cells = [[_escape(cell) for cell in row] for row in _cells(rows)]
    rule = [":---" if heading in TEXT_COLUMNS else "---:" for heading in HEADINGS]
    lines = ["| " + " | ".join(line) + " |" for line in (HEADINGS, rule, *cells)]
    feet = ["- " + _one_line(line).replace("<", "&lt;") for line in (*footer, *notes(rows))]
    return "\n".join([*lines, "", *feet]) + "\n"


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
    from rich.console import Console
    from rich.text import Text

    stream = sys.stdout if stream is None else stream
    console = Console(file=stream, highlight=False)
    needed = _width(_rich(rows, HEADINGS))
    if not console.is_terminal:
        console = Console(file=stream, highlight=False, width=needed)
    parts = [list(HEADINGS)] if needed <= console.width else _parts(rows, console.width)
    for headings in parts:
        console.print(_rich(rows, headings, None if len(parts) == 1 else NARROW_STATUS_CHARS))
    for line in (*footer, *notes(rows)):
        console.print(Text(_one_line(line), style="yellow" if line.startswith("WARNING") else "dim"), soft_wrap=True)


def _parts(rows: Sequence[Row], width: int) -> list[list[str]]:
    """The columns in groups that fit the width, each after the variant's name."""
    first, *others = HEADINGS
    parts = [[first]]
    for heading in others:
        if len(parts[-1]) > 1 and _width(_rich(rows, [*parts[-1], heading], NARROW_STATUS_CHARS)) > width:
            parts.append([first])
        parts[-1].append(heading)
    return parts


def _width(table: Table) -> int:
    from rich.console import Console
    from rich.measure import Measurement

    console = Console(width=10_000)
    return Measurement.get(console, console.options, table).maximum


def _rich(rows: Sequence[Row], headings: Sequence[str], status_chars: int | None = None) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
    for heading in headings:
        justify: Literal["left", "right"] = "left" if heading in TEXT_COLUMNS else "right"
        lines = heading.replace(" from ", "\nfrom ").replace(" of ", "\nof ")  # the widest headings
        if heading == "status":
            table.add_column(lines, justify=justify, max_width=status_chars, overflow="fold")
        else:
            table.add_column(lines, justify=justify, no_wrap=True)
    for row, cells in zip(rows, _cells(rows), strict=True):
        texts = dict(zip(HEADINGS, cells, strict=True))
        style = "bold" if row.is_baseline else "" if row.status == "ok" else "red"
        table.add_row(*(Text(texts[heading]) for heading in headings), style=style)
    return table


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
                "diverged" if diverged else fmt.mean(row.bits_per_byte, decimals),
                fmt.ends(row.bits_per_byte, decimals),
                "baseline" if row.is_baseline else fmt.mean(row.difference, fine, signed=True),
                fmt.ends(row.difference, fine, signed=True),
                fmt.count(row.tokens_per_second),
                fmt.percent(row.mfu),
                fmt.memory(row.peak_memory_bytes),
                _shorten(_one_line(row.status)),
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
        "bits_per_byte": None if row.bits_per_byte is None else value.mean,
        "bits_per_byte_low": value.low,
        "bits_per_byte_high": value.high,
        "difference": None if row.difference is None else difference.mean,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "tokens_per_second": row.tokens_per_second,
        "mfu": row.mfu,
        "peak_memory_bytes": row.peak_memory_bytes,
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


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _escape(cell: str) -> str:
    return re.sub(r"([|\\])", r"\\\1", _one_line(cell)).replace("<", "&lt;")


def _shorten(text: str) -> str:
    return text if len(text) <= STATUS_CHARS else text[: STATUS_CHARS - 1] + "…"
