"""Ablation files: which differences an arm gets, and mistakes in any of them, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.ablation.spec import load_ablation
from zoo.ablation.sweep import try_all
from zoo.recipe import RecipeError, load_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
ABLATIONS = sorted((RECIPES / "ablations").glob("*.yaml"))


def write(folder: Path, body: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(f"base: {RECIPES / 'base.yaml'}\n{body}")
    return path


@pytest.mark.parametrize("path", ABLATIONS, ids=lambda p: p.name)
def test_every_committed_ablation_checks(path: Path) -> None:
    assert path.read_text().startswith("# "), "an ablation opens with the question it answers"
    ablation = load_ablation(path)
    try_all(ablation)
    assert ablation.baseline in ablation.variants and len(ablation.seeds) >= 3


def test_variants_inline_by_path_and_by_class(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "model.d_model: 64\n"
        "ablation:\n"
        "  baseline: full\n"
        "  seeds: [3, 5]\n"
        "  budget: {tokens: 1e5}\n"
        "  variants:\n"
        "    full: {}\n"
        f"    sliding: {RECIPES / 'attention' / 'sliding.yaml'}\n"
        "    multi_query: {model.attention.num_kv_heads: 1}\n"
        "    mlp: {model.ffn: MLP}\n",
    )
    ablation = load_ablation(path)
    assert ablation.name == "mine" and ablation.seeds == [3, 5] and ablation.budget == {"tokens": 1e5}
    arms = {name: recipe.resolved["model"] for name, recipe in ablation.variants.items()}
    assert all(arm["d_model"] == 64 for arm in arms.values()), "a recipe file contributes its change, not its base"
    assert arms["sliding"]["attention"]["class_path"] == "zoo.attention.SlidingWindowAttention"
    assert arms["multi_query"]["attention"]["init_args"]["num_kv_heads"] == 1
    assert arms["mlp"]["ffn"]["class_path"] == "zoo.ffns.MLP" and "d_ff" in arms["mlp"]["ffn"]["init_args"]
    assert arms["full"] == load_recipe(RECIPES / "base.yaml", {"model.d_model": 64}).resolved["model"]
    budgets = {str(recipe.resolved["budget"]) for recipe in ablation.variants.values()}
    assert len(budgets) == 1


def test_command_line_wins_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "ablation: {baseline: a, variants: {a: {}, b: {model.ffn: MLP}}, budget: {flops: 1e12}}\n")
    ablation = load_ablation(path, ["model.d_model=32"], budget={"tokens": 5000.0}, seeds=[9])
    assert ablation.budget == {"tokens": 5000.0} and ablation.seeds == [9]
    assert ablation.variants["b"].resolved["model"]["d_model"] == 32
    assert load_ablation(path).seeds == [0, 1, 2]


@pytest.mark.parametrize("override", ["seed=3", "budget.tokens=5"])
def test_an_override_is_never_dropped_in_silence(override: str) -> None:
    with pytest.raises(RecipeError, match=rf"--{override[:4]}\w*: set the ablation's own {override[:4]}"):
        load_ablation(ABLATIONS[0], [override])


def test_all_bad_variants_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "ablation:\n"
        "  baseline: fll\n"
        "  seeds: 0\n"
        "  variant: {}\n"
        "  variants:\n"
        "    full: {}\n"
        "    typo: {model.attention.num_kv_headz: 1}\n"
        "    family: {model.ffn: RMSNorm}\n"
        "    missing: nowhere.yaml\n"
        "    unfair: {budget: {flops: 1e15}}\n"
        "    seeded: {seed: 3}\n",
    )
    with pytest.raises(RecipeError) as caught:
        load_ablation(path)
    expected = [
        "ablation.variant: unknown key; did you mean 'variants'?",
        "ablation.baseline: 'fll' is not one of the variants; did you mean 'full'?",
        "ablation.seeds: expected a number of seeds or a list of different ones, got 0",
        "variant typo: model.attention.num_kv_headz: unknown key; did you mean 'num_kv_heads'?",
        "variant family: model.ffn: RMSNorm is of the family norms",
        f"variant missing: {tmp_path / 'nowhere.yaml'}: no such file",
        "variant unfair: budget: a variant cannot change it; every arm gets the same",
        "variant seeded: seed: a variant cannot change it; every arm gets the same",
    ]
    assert len(caught.value.lines) == len(expected)
    for line, start in zip(caught.value.lines, expected, strict=True):
        assert line.startswith(f"{path}: {start}")


def test_refused_values_of_all_variants_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "ablation:\n"
        "  baseline: full\n"
        "  variants:\n"
        "    full: {}\n"
        "    heads: {model.attention.num_kv_heads: 3}\n"
        "    layers: {model.num_layers: 0}\n"
        "    other_text: {data.corpus.kinds: [source]}\n"
        "    filtered: {data.filters: [ExactDedup]}\n",
    )
    with pytest.raises(RecipeError) as caught:
        try_all(load_ablation(path))
    assert caught.value.lines == [
        "variant heads: model: FullAttention: num_kv_heads=3 must divide num_heads=4",
        "variant layers: model: Decoder: num_layers=0 must be at least 1",
        "variant other_text: data.corpus differs from the baseline's: arms must be scored on the same text",
        "variant filtered: data.filters differs from the baseline's: arms must be scored on the same text",
    ]


def test_a_recipe_is_not_an_ablation() -> None:
    with pytest.raises(RecipeError, match=r"this is a recipe, not an ablation: run it with `zoo fit "):
        load_ablation(RECIPES / "base.yaml")
