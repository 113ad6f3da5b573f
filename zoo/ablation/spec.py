"""Ablation files: a base recipe, variants, seeds, one budget for all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.recipe import Recipe, RecipeError, override_trees, resolve_recipe
from zoo.recipe.files import Layer, Tree, expand, merge, merge_all, read_chain
from zoo.recipe.resolve import is_seed
from zoo.wording import listing, nearest

ABLATION_KEYS = ("baseline", "seeds", "budget", "variants")
PROTECTED = ("budget", "seed", "ablation")  # equal for all arms, or not a variant's business


@dataclass(frozen=True)
class Ablation:
    """A checked ablation.

    Attributes:
        name: of its folder under `runs`.
        baseline: the arm that the others are compared with.
        seeds: each arm runs with each of them; they pair the arms.
        variants: name -> resolved recipe, all with the same budget.
        tree: what was asked for, merged: for the record.
    """

    name: str
    baseline: str
    seeds: list[int]
    variants: dict[str, Recipe]
    tree: Tree

    @property
    def budget(self) -> dict[str, float]:
        budget = self.variants[self.baseline].resolved["budget"]
        return {unit: amount for unit, amount in budget.items() if amount is not None}


def load_ablation(
    path: Path | str,
    overrides: Iterable[str] | Mapping[str, Any] = (),
    *,
    budget: Mapping[str, float] | None = None,
    seeds: int | list[int] | None = None,
) -> Ablation:
    """Read an ablation and check every variant of it.

    Args:
        path: of the YAML file.
        overrides: of the base recipe, for all arms alike.
        budget, seeds: instead of the file's.

    Raises:
        RecipeError: every mistake in every variant, one line each.
    """
    path = Path(path)
    chain, changes = read_chain(path), override_trees(overrides)
    for key, instead in (("seed", "seeds (--seeds)"), ("budget", "budget (--budget UNIT=AMOUNT)")):
        if any(key in change for change in changes):
            raise RecipeError([f"--{key}: set the ablation's own {instead} instead"], str(path))
    tree = merge_all([*(layer.tree for layer in chain), *changes])
    section = tree.pop("ablation", None)
    if not isinstance(section, dict):
        raise RecipeError([f"this is a recipe, not an ablation: run it with `zoo fit {path}`"], str(path))
    problems = [
        f"ablation.{key}: unknown key{nearest(key, ABLATION_KEYS)} An ablation takes {listing(ABLATION_KEYS)}"
        for key in section
        if key not in ABLATION_KEYS
    ]
    variants = section.get("variants")
    if not isinstance(variants, dict) or not variants:
        raise RecipeError([*problems, "ablation.variants: expected a mapping of names to differences"], str(path))
    baseline = section.get("baseline")
    if baseline not in variants:
        hint = nearest(str(baseline), variants)
        problems.append(
            f"ablation.baseline: {baseline!r} is not one of the variants{hint} They are {listing(variants)}"
        )
    seed_list = _seeds(section.get("seeds", 3) if seeds is None else seeds, problems)
    chosen = dict(budget) if budget is not None else section.get("budget")
    base = tree if chosen is None else merge(tree, {"budget": chosen})
    recipes = _resolve_variants(variants, base, chain, path, problems)
    if problems:
        raise RecipeError(problems, str(path))
    assert isinstance(baseline, str)
    return Ablation(path.stem, baseline, seed_list, recipes, {**base, "ablation": {**section, "seeds": seed_list}})


def _resolve_variants(
    variants: Mapping[str, Any], base: Tree, chain: list[Layer], path: Path, problems: list[str]
) -> dict[str, Recipe]:
    recipes = {}
    for name, difference in variants.items():
        try:
            arm = merge_all([base, *_differences(difference, chain, path)])
            recipes[name] = resolve_recipe(arm, name, f"variant {name}")
        except RecipeError as error:
            opening = f"variant {name}"
            problems += [line if line.startswith(opening) else f"{opening}: {line}" for line in error.lines]
    return recipes


def _differences(difference: Any, chain: list[Layer], path: Path) -> list[Tree]:
    """What a variant lays over the ablation's base: its own mapping, or the layers of a recipe file that the ablation
    does not already stand on (a file `base: ../base.yaml` plus one change contributes that change)."""
    if difference is None:
        return []
    if isinstance(difference, dict):
        trees = [expand(difference)]
    elif isinstance(difference, str):
        shared = {layer.path for layer in chain}
        trees = [layer.tree for layer in read_chain(path.parent / difference) if layer.path not in shared]
    else:
        raise RecipeError([f"expected a mapping or the path of a recipe, got {difference!r}"])
    for tree in trees:
        for key in PROTECTED:
            if key in tree:
                raise RecipeError([f"{key}: a variant cannot change it; every arm gets the same"])
    return trees


def _seeds(given: Any, problems: list[str]) -> list[int]:
    """3 is seeds 0, 1, 2; a list names them."""
    if isinstance(given, int) and not isinstance(given, bool) and given >= 1:
        return list(range(given))
    whole = isinstance(given, list) and all(is_seed(seed) for seed in given)
    if whole and given and len(set(given)) == len(given):
        return given
    problems.append(f"ablation.seeds: expected a number of seeds or a list of different ones, got {given!r}")
    return []
