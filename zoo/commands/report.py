"""`zoo report`: the table of an ablation again, from its run folders."""

from __future__ import annotations

import argparse

from zoo.recipe.errors import RecipeError


def run(arguments: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.ablation.report import show, write_report

    if not (arguments.folder / "plan.json").is_file():
        raise RecipeError([f"{arguments.folder} is not the folder of an ablation: it has no plan.json"])
    return show(write_report(arguments.folder))
