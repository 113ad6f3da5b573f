"""Ablations: arms, equal budgets, execution, and what the runs say together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.ablation.report import Report

__all__ = ["ablate"]


def ablate(
    path: Path | str,
    overrides: Iterable[str] | Mapping[str, Any] = (),
    *,
    budget: Mapping[str, float] | None = None,
    seeds: int | list[int] | None = None,
    runs: Path | str = "runs",
    jobs: int | None = None,
) -> Report:
    """Train what is missing of an ablation and return its table: `zoo ablate` from Python.

    Args:
        path: of the ablation's YAML.
        overrides: of its base recipe, as in `load_recipe`.
        budget, seeds: instead of the file's.
        runs: folder of all runs.
        jobs: runs at once; None: as many as fit the cores.

    Raises:
        RecipeError: every mistake in every variant; or another process works on the same folder.
    """
    from zoo.ablation.spec import load_ablation
    from zoo.ablation.sweep import sweep

    return sweep(load_ablation(path, overrides, budget=budget, seeds=seeds), root=Path(runs), jobs=jobs)
