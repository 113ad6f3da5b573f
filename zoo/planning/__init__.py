"""What a run will take before it runs: parameters, FLOPs, memory, time and cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from zoo.planning.answer import Plan
from zoo.planning.of_recipe import plan_prepared
from zoo.planning.of_size import SizeQuestion, plan_size
from zoo.planning.question import Question
from zoo.prepare import prepare
from zoo.recipe import Recipe

__all__ = ["Plan", "Question", "SizeQuestion", "plan", "plan_prepared", "plan_size", "with_tokens"]


def with_tokens(recipe: Recipe, tokens: float | None) -> Recipe:
    """The recipe with so many tokens in place of its budget, which may not pay for one step; None: as it is."""
    if tokens is None:
        return recipe
    unspent = dict.fromkeys(recipe.resolved["budget"])
    return replace(recipe, resolved=recipe.resolved | {"budget": unspent | {"tokens": tokens}})


def plan(recipe: Recipe, **question: Any) -> Plan:
    """What the run of a recipe takes.

    Args:
        recipe: of `zoo.load_recipe`.
        question: arguments of `Question`.

    Raises:
        RecipeError: the recipe cannot run, or its batch does not divide among the devices.
        ValueError: the question has no answer.
    """
    asked = Question(**question)
    return plan_prepared(prepare(with_tokens(recipe, asked.tokens)), asked)
