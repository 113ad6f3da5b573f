"""`zoo ablate`: train every variant with every seed under one budget, print the table."""

from __future__ import annotations

import argparse

from zoo.ablation.spec import load_ablation


def run(arguments: argparse.Namespace, overrides: list[str]) -> int:
    from zoo.ablation.report import show
    from zoo.ablation.sweep import sweep, try_all

    ablation = load_ablation(arguments.ablation, overrides, budget=arguments.budget, seeds=arguments.seeds)
    try_all(ablation)
    unit, amount = next(iter(ablation.budget.items()))
    num_arms, num_seeds = len(ablation.variants), len(ablation.seeds)
    print(f"{ablation.name}: {num_arms} variants x {num_seeds} seeds, {amount:.3g} {unit} each")
    if arguments.check:
        for name in ablation.variants:
            print(f"  {name}{' (baseline)' if name == ablation.baseline else ''}")
        return 0
    return show(sweep(ablation, root=arguments.runs, jobs=arguments.jobs))
