"""A table for people in two dresses: Markdown, and a terminal, where columns that do not fit go on further below."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from rich.table import Table

NARROW_CHARS = 24  # where the table has to be cut, its folding column folds to this


@dataclass(frozen=True)
class Grid:
    """Text in rows and columns.

    Attributes:
        headings: the first names its row, and is repeated where columns go on below.
        cells: [rows][columns].
        text_columns: headings of what stands at the left; the others are numbers and stand at the right.
        styles: of each row, as `rich` writes them; empty: plain.
        folding: heading of a column of long text.
    """

    headings: Sequence[str]
    cells: Sequence[Sequence[str]]
    text_columns: Sequence[str]
    styles: Sequence[str] = ()
    folding: str | None = None

    def to_markdown(self) -> str:
        """A GitHub table, without a line end behind it."""
        rule = [":---" if heading in self.text_columns else "---:" for heading in self.headings]
        cells = [[_escape(cell) for cell in row] for row in self.cells]
        return "\n".join("| " + " | ".join(line) + " |" for line in (self.headings, rule, *cells))

    def show(self, footer: Sequence[str] = (), stream: TextIO | None = None) -> None:
        """Print the table and lines under it; what is no terminal gets lines as long as they need to be."""
        from rich.console import Console
        from rich.text import Text

        stream = sys.stdout if stream is None else stream
        console = Console(file=stream, highlight=False)
        needed = _width(self._rich(self.headings))
        if not console.is_terminal:
            console = Console(file=stream, highlight=False, width=needed)
        parts = [list(self.headings)] if needed <= console.width else self._parts(console.width)
        for headings in parts:
            console.print(self._rich(headings, None if len(parts) == 1 else NARROW_CHARS))
        for line in footer:
            console.print(Text(one_line(line), style="yellow" if line.startswith("WARNING") else "dim"), soft_wrap=True)

    def _parts(self, width: int) -> list[list[str]]:
        """The columns in groups that fit the width, each after the first column."""
        first, *others = self.headings
        parts = [[first]]
        for heading in others:
            if len(parts[-1]) > 1 and _width(self._rich([*parts[-1], heading], NARROW_CHARS)) > width:
                parts.append([first])
            parts[-1].append(heading)
        return parts

    def _rich(self, headings: Sequence[str], folding_chars: int | None = None) -> Table:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True, pad_edge=False)
        for heading in headings:
            justify: Literal["left", "right"] = "left" if heading in self.text_columns else "right"
            lines = heading.replace(" from ", "\nfrom ").replace(" of ", "\nof ")  # the widest headings
            if heading == self.folding:
                table.add_column(lines, justify=justify, max_width=folding_chars, overflow="fold")
            else:
                table.add_column(lines, justify=justify, no_wrap=True)
        for i, row in enumerate(self.cells):
            texts = dict(zip(self.headings, row, strict=True))
            style = self.styles[i] if self.styles else ""
            table.add_row(*(Text(texts[heading]) for heading in headings), style=style)
        return table


def feet(lines: Sequence[str]) -> str:
    """Lines under a Markdown table."""
    return "".join(f"- {one_line(line).replace('<', '&lt;')}\n" for line in lines)


def one_line(text: str) -> str:
    return " ".join(text.split())


def _escape(cell: str) -> str:
    return re.sub(r"([|\\])", r"\\\1", one_line(cell)).replace("<", "&lt;")


def _width(table: Table) -> int:
    from rich.console import Console
    from rich.measure import Measurement

    console = Console(width=10_000)
    return Measurement.get(console, console.options, table).maximum
