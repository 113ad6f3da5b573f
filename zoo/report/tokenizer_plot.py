"""A picture of tokenizers: what a vocabulary buys in bytes per token, and what it costs in speed."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.files import write_atomically
from zoo.report.plots import COLOURS, DOTS_PER_INCH
from zoo.report.tokenizers import Comparison, TokenizerRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES = (11.0, 4.8)
MARKERS = "osD^vP*X"


def plot_comparison(comparison: Comparison, path: Path) -> None:
    """Bytes per token and tokens per second against the vocabulary: a mark per tokenizer, a colour per corpus.

    Args:
        path: of the PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # without pyplot: no global state, no window
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _draw(left, comparison.rows, lambda row: row.measures.bytes_per_token)
    _draw(right, comparison.rows, lambda row: row.measures.tokens_per_second)
    left.set_ylabel("bytes per token of held-out text")
    right.set_ylabel("tokens per second, encoding, one thread")
    right.set_yscale("log")
    figure.legend(*left.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    write_atomically(path, content.getvalue())


def _draw(axes: Axes, rows: Sequence[TokenizerRow], value: Callable[[TokenizerRow], float]) -> None:
    tokenizers = list(dict.fromkeys(row.tokenizer for row in rows))
    corpora = list(dict.fromkeys(row.corpus for row in rows))
    for row in rows:
        colour = COLOURS[corpora.index(row.corpus) % len(COLOURS)]
        marker = MARKERS[tokenizers.index(row.tokenizer) % len(MARKERS)]
        label = row.tokenizer if len(corpora) == 1 else f"{row.tokenizer}, {row.corpus}"
        axes.plot(row.measures.vocab_size, value(row), marker, color=colour, markersize=7, label=label)
    axes.set_xscale("log")
    axes.set_xlabel("vocabulary, tokens")
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
