"""A picture of a plan: what memory holds in each phase, and how the work divides as the context grows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.accounting.live import CATEGORIES
from zoo.files import write_atomically
from zoo.planning import Plan
from zoo.report.plots import COLOURS, DOTS_PER_INCH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES = (11.0, 4.8)
GB = 1e9


def plot_plan(plan: Plan, path: Path) -> None:
    """Two panels; a plan without a recipe has the first alone.

    Args:
        path: of the PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # without pyplot: no global state, no window
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    if plan.by_context:
        left, right = figure.subplots(1, 2)
        _contexts(right, plan)
    else:
        left = figure.subplots()
    _memory(left, plan)
    figure.suptitle(plan.name, x=0.01, ha="left", fontsize=11)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_atomically(path, content.getvalue())


def _memory(axes: Axes, plan: Plan) -> None:
    present = dict.fromkeys(category for held in plan.phases.values() for category in held)
    categories = [c for c in CATEGORIES if c in present] + [c for c in present if c not in CATEGORIES]
    bottoms = dict.fromkeys(plan.phases, 0.0)
    for i, category in enumerate(categories):
        heights = [held.get(category, 0) / GB for held in plan.phases.values()]
        axes.bar(
            list(plan.phases), heights, bottom=list(bottoms.values()), color=COLOURS[i % len(COLOURS)], label=category
        )
        bottoms = {phase: bottoms[phase] + height for phase, height in zip(bottoms, heights, strict=True)}
    available, top = plan.fit.available_bytes, max(bottoms.values())
    if available is not None and available / GB < 5 * top:  # else it would squeeze the bars
        top = max(top, available / GB)
        label = f"{plan.target.name}: {available / GB:.1f} GB"
        axes.axhline(available / GB, color="black", linewidth=1, linestyle="--", label=label)
    axes.set_ylabel("GB on one device")
    axes.set_ylim(0, 1.45 * top)  # room for the names
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="upper left")
    _frame(axes)


def _contexts(axes: Axes, plan: Plan) -> None:
    lengths = list(plan.by_context)
    families = list(dict.fromkeys(family for flops in plan.by_context.values() for family in flops))
    whole = [sum(plan.by_context[length].values()) for length in lengths]
    shares = [
        [plan.by_context[length].get(family, 0.0) / all_of_it for length, all_of_it in zip(lengths, whole, strict=True)]
        for family in families
    ]
    axes.stackplot(lengths, shares, labels=families, colors=COLOURS)
    axes.set_xscale("log", base=2)
    axes.set_xlabel("context, tokens")
    axes.set_ylabel("share of the forward FLOPs")
    axes.set_ylim(0, 1)
    axes.legend(fontsize=8, loc="upper left")
    _frame(axes)


def _frame(axes: Axes) -> None:
    axes.grid(True, axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
