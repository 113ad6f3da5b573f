"""`zoo plan`: what a run takes before it runs."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

from zoo.commands.mistakes import one_line, picture
from zoo.planning import Plan, Question, SizeQuestion, plan_prepared, plan_size, with_tokens
from zoo.planning.question import said_by_user
from zoo.recipe import RecipeError, load_recipe
from zoo.report.grid import feet
from zoo.report.plan import memory_grid, to_json, to_text

OF_SIZES = ("weights", "gradients", "states", "num_states", "master")


def run(arguments: argparse.Namespace, overrides: list[str]) -> int:
    if (arguments.recipe is None) == (arguments.params is None):
        raise RecipeError(["expected a recipe, or --params and a number of parameters, and not both"])
    if arguments.plot is not None:
        picture(arguments.plot, force=arguments.force)
    elif arguments.force:
        raise RecipeError(["--force replaces a picture, and there is no --plot"])
    with one_line(""):
        plan = _of_size(arguments, overrides) if arguments.recipe is None else _of_recipe(arguments, overrides)
    if arguments.json:
        print(to_json(plan), end="")
    else:
        print("\n".join(to_text(plan)))
        memory_grid(plan).show()
        print(feet(plan.notes), end="")
    if arguments.plot is not None:
        from zoo.report.plan_plot import plot_plan

        plot_plan(plan, arguments.plot)
        print(f"drawn: {arguments.plot}", file=sys.stderr)
    return 0


def _of_size(arguments: argparse.Namespace, overrides: list[str]) -> Plan:
    if overrides:
        raise RecipeError([f"--{overrides[0]}: there is no recipe whose key that would set"])
    if arguments.probe:
        raise RecipeError(["--probe runs a recipe, and --params has none"])
    given = {name: getattr(arguments, name) for name in OF_SIZES if getattr(arguments, name) is not None}
    return plan_size(SizeQuestion(params=arguments.params, **given, **_common(arguments)))


def _of_recipe(arguments: argparse.Namespace, overrides: list[str]) -> Plan:
    for name in OF_SIZES:
        if getattr(arguments, name) is not None:
            raise RecipeError([f"--{name.replace('_', '-')} goes with --params: a recipe says its own"])
    from zoo.data.progress import display
    from zoo.prepare import prepare

    recipe = with_tokens(load_recipe(arguments.recipe, overrides), arguments.tokens)
    question = Question(**_common(arguments))  # refused before anything is built
    own = recipe.built.trainer.device
    if arguments.probe and arguments.device not in (None, "cpu" if own == "auto" else own):
        raise RecipeError([f"--probe measures this machine, and --device {arguments.device} is another"])
    with display(sys.stderr) as progress:
        prepared = prepare(recipe, progress=progress)
        if arguments.probe:
            from zoo.training import probe

            progress.say("probing: some steps of training on this machine")
            question = replace(question, mfu=probe(prepared))
        return plan_prepared(prepared, question, say=progress.say)


def _common(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "device": arguments.device,
        "num_devices": arguments.num_devices,
        "tokens": arguments.tokens,
        "mfu": None if arguments.mfu is None else said_by_user(arguments.mfu),
        "zero_stage": arguments.zero_stage,
        "price_per_hour": arguments.price,
    }
