"""Pictures of an ablation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.report.curves import Point, mean_curve, read_curve
from zoo.report.rows import Arm, Row, rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette, told apart by colour-blind readers; black is the baseline's. More arms repeat it dashed.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D1F")
DASHES = ("-", "--", ":", "-.")
SIZE_INCHES = (8.0, 4.8)
DOTS_PER_INCH = 160
TOP_SHARE = 0.9  # of the curves' points that must be in sight: the first ones would squeeze the rest


@dataclass(frozen=True)
class _Line:
    """What is drawn of one arm; `final` is the figure of the table."""

    label: str
    curves: list[list[Point]]
    mean: list[Point]
    final: float
    is_baseline: bool


def loss_against_flops(arms: Sequence[Arm], path: Path, baseline: str | None = None, title: str = "") -> None:
    """Draw validation bits per byte against the FLOPs spent: a thin line per seed, a bold one for their mean.

    Args:
        arms: what to draw.
        path: of the PNG.
        baseline: name of the arm that is drawn in black; by default the first.
        title: above the picture.

    Raises:
        ValueError: there are no arms, or none has the baseline's name.
    """
    if not arms:
        raise ValueError("expected at least one arm to draw, got none")
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # without pyplot: no global state, no window
    from matplotlib.figure import Figure

    lines = _lines(rows(arms, baseline or arms[0].name))
    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw(axes, lines)
    _frame(axes, lines)
    if title:
        axes.set_title(title, loc="left", fontsize=11)
    figure.savefig(path, format="png")


def _lines(table: Sequence[Row]) -> list[_Line]:
    """The arms from the best final figure to the worst; those without one last."""
    lines = []
    for row in table:
        curves = [curve for folder in row.dirs.values() if (curve := read_curve(folder))]
        diverged = any(result.get("status") == "diverged" for result in row.results.values())
        value = None if row.bits_per_byte is None else row.bits_per_byte.mean
        figure = "diverged" if diverged else "unfinished" if value is None else f"{value:.3f}"
        mark = " (baseline)" if row.is_baseline and row.name != "baseline" else ""
        mean = [] if diverged else mean_curve(curves)
        final = math.inf if value is None else value
        lines.append(_Line(f"{figure}  {row.name}{mark}", curves, mean, final, row.is_baseline))
    return sorted(lines, key=lambda line: line.final)


def _draw(axes: Axes, lines: Sequence[_Line]) -> None:
    others = 0
    for line in lines:
        colour, dash = "black", "-"
        if not line.is_baseline:
            colour, dash = COLOURS[others % len(COLOURS)], DASHES[others // len(COLOURS) % len(DASHES)]
            others += 1
        order = 3 if line.is_baseline else 2
        for curve in line.curves:
            axes.plot(*_coordinates(curve), color=colour, linestyle=dash, linewidth=0.7, alpha=0.45, zorder=order)
        dot = "o" if len(line.mean) == 1 else None  # a line of one point cannot be seen
        (bold,) = axes.plot(*_coordinates(line.mean), color=colour, linestyle=dash, linewidth=2.0, marker=dot)
        bold.set(label=line.label, zorder=order + 2)


def _frame(axes: Axes, lines: Sequence[_Line]) -> None:
    """Axes, limits and legend."""
    axes.set_xlabel("training FLOPs, optimizer included")
    axes.set_ylabel("validation bits per byte")
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    points = [point for line in lines for curve in line.curves for point in curve]
    if points:
        values = sorted(point.bits_per_byte for point in points)
        low, high = values[0], values[min(len(values) - 1, math.floor(TOP_SHARE * len(values)))]
        high = max([high, *(line.mean[-1].bits_per_byte for line in lines if line.mean)])  # every arm's end is in sight
        margin = 0.04 * (high - low) or 0.01 * low
        axes.set_ylim(low - margin, high + margin)
        axes.margins(x=0.01)
    else:
        axes.text(0.5, 0.5, "no validation yet", transform=axes.transAxes, ha="center", color="#666666")
    axes.legend(title="bits per byte at the end", loc="best", frameon=False, fontsize=9, alignment="left")


def _coordinates(curve: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [point.flops for point in curve], [point.bits_per_byte for point in curve]
