"""The table of an ablation, from its folder: plan.json says which runs, the runs say everything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from zoo.files import write_atomically
from zoo.recipe import RecipeError
from zoo.report.rows import Arm, Row, rows
from zoo.report.table import print_table, to_csv, to_json, to_markdown

PLOT = "loss_against_flops.png"


class Report(NamedTuple):
    """What an ablation came to.

    Attributes:
        folder: where the table lies, as md, csv and json, and the plot.
        rows: one per variant.
        footer: what a reader must know beside the rows.
    """

    folder: Path
    rows: list[Row]
    footer: list[str]

    @property
    def complete(self) -> bool:
        """Whether every run gave a result that stands: one that diverged does, it is what the arm does."""
        results = [result for row in self.rows for result in row.results.values()]
        return all(result["status"] in ("ok", "diverged") for result in results)


def write_report(folder: Path) -> Report:
    """Write table.md, table.csv, table.json and the plot of an ablation; its runs may be unfinished.

    Args:
        folder: `runs/<ablation>`.

    Raises:
        RecipeError: plan.json is not that of an ablation.
    """
    from zoo.report.plots import loss_against_flops

    try:
        plan: dict[str, Any] = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        arms = [
            Arm(name, {int(seed): folder / path for seed, path in arm["dirs"].items()})
            for name, arm in plan["arms"].items()
        ]
        baseline, footer = plan["baseline"], _footer(plan)
    except (OSError, ValueError, KeyError) as error:
        raise RecipeError([f"{folder / 'plan.json'} is not the plan of an ablation: {error!r}"]) from error
    table = rows(arms, baseline)
    write_atomically(folder / "table.md", to_markdown(table, footer))
    write_atomically(folder / "table.csv", to_csv(table))
    write_atomically(folder / "table.json", to_json(table, footer))
    loss_against_flops(arms, folder / PLOT, baseline=baseline)
    return Report(folder, table, footer)


def show(report: Report) -> int:
    """Print a report; exit code 0 where every run gave a result that stands, else 1."""
    print_table(report.rows, report.footer)
    print(f"\n{report.folder}: table.md, table.csv, table.json, {PLOT}")
    return 0 if report.complete else 1


def _footer(plan: dict[str, Any]) -> list[str]:
    ((unit, amount),) = plan["budget"].items()
    spent = {
        "flops": f"{amount:.3g} FLOPs, training (exact pairs) and optimizer",
        "tokens": f"{amount:,.0f} training tokens",
        "bytes": f"{amount:,.0f} bytes of training text",
        "seconds": f"{amount:g} seconds of training steps: not bit-repeatable",
    }[unit]
    lines = [f"Budget of every run: {spent}; whole steps, never more than it pays for."]
    lines.append("Learning rates were not tuned per variant: each runs with the baseline's, unless it sets its own.")
    return lines
