"""What a resolved recipe holds: the traps that would spoil an ablation in silence."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from zoo.families import FAMILIES, base_class, variants
from zoo.recipe import Recipe, RecipeError, load_recipe
from zoo.recipe.resolve import plain
from zoo.recipe.schema import each_component, find_class, section_keys, slot_of

RECIPES = Path(__file__).parents[2] / "recipes"
BASE = RECIPES / "base.yaml"
ALL_RECIPES = sorted(p for p in RECIPES.rglob("*.yaml") if p.parent.name not in ("ablations", "scale"))


@pytest.mark.parametrize("path", ALL_RECIPES, ids=lambda p: str(p.relative_to(RECIPES)))
def test_every_committed_recipe_resolves_builds_and_says_what_it_answers(path: Path) -> None:
    assert path.read_text().startswith("# "), "a recipe opens with the question it answers"
    load_recipe(path).built.try_on_meta(vocab_size=300)


def test_base_writes_every_key() -> None:
    """No component has a default in the decoder or the module: nothing could leak from there."""
    from zoo.recipe.files import read_chain

    (layer,) = read_chain(BASE)
    for section, keys in section_keys().items():
        if section == "budget":
            continue
        assert set(layer.tree[section]) == set(keys)
        assert all(key.default is inspect.Parameter.empty for key in keys.values()), section


def test_old_arguments_never_leak_into_a_new_class() -> None:
    """Every argument that the recipe does not give equals the selected class's own default (jsonargparse #460)."""
    for family in FAMILIES:
        section = {"optimizers": "model.optimizer", "ffns": "model.ffn", "norms": "model.norm", "heads": "model.head"}
        section |= {"inits": "model.init", "schedules": "model.schedule", "attention": "model.attention"}
        section |= {"positions": "model.position", "blocks": "model.block"}
        if family not in section:
            continue
        for cls in variants(family).values():
            recipe = load_recipe(BASE, {section[family]: {"class_path": f"zoo.{family}.{cls.__name__}"}})
            parent, _, key = section[family].partition(".")
            resolved = recipe.resolved[parent][key]
            base_path = load_recipe(BASE).resolved[parent][key]["class_path"]
            if resolved["class_path"] == base_path:
                continue  # the same class merges
            for name, parameter in inspect.signature(cls).parameters.items():
                if name in resolved["init_args"]:
                    assert resolved["init_args"][name] == plain(parameter.default), f"{cls.__name__}.{name}"


def test_torch_optimizer_gets_its_own_defaults() -> None:
    recipe = load_recipe(BASE, {"model.optimizer": "torch.optim.SGD"})
    assert recipe.resolved["model"]["optimizer"]["init_args"]["weight_decay"] == 0
    _, optimizer = recipe.built.try_on_meta(vocab_size=50)
    assert type(optimizer) is torch.optim.SGD


def test_numbers_of_yaml_reach_their_types(tmp_path: Path) -> None:
    path = tmp_path / "numbers.yaml"
    path.write_text(f"base: {BASE}\nmodel.optimizer.lr: 3e-4\ndata.batch_size: 1e1\nbudget: {{flops: 1e9}}\n")
    resolved = load_recipe(path).resolved
    assert resolved["model"]["optimizer"]["init_args"]["lr"] == 3e-4
    assert resolved["data"]["batch_size"] == 10 and type(resolved["data"]["batch_size"]) is int
    assert resolved["budget"]["flops"] == 1e9
    whole = load_recipe(BASE, {"model.optimizer.lr": 1}).resolved["model"]["optimizer"]["init_args"]["lr"]
    assert type(whole) is float


def test_dump_loads_to_the_same_recipe(tmp_path: Path) -> None:
    for path in ALL_RECIPES:
        recipe = load_recipe(path)
        copy = tmp_path / "copy.yaml"
        copy.write_text(recipe.dump())
        again = load_recipe(copy)
        assert again.resolved == recipe.resolved
        assert again.identity("x") == recipe.identity("x")


def test_hybrid_layers_resolve_build_and_dump(tmp_path: Path) -> None:
    layers = [{"attention": {"class_path": "SlidingWindowAttention", "init_args": {"window": 8}}, "repeat": 3}, {}]
    recipe = load_recipe(BASE, {"model.layers": layers})
    decoder, _ = recipe.built.try_on_meta(vocab_size=50)
    assert [block.attention.window for block in decoder.blocks] == [8, 8, 8, None]
    path = tmp_path / "hybrid.yaml"
    path.write_text(recipe.dump())
    assert load_recipe(path).resolved == recipe.resolved


def test_input_position_in_a_layer_is_refused() -> None:
    recipe = load_recipe(BASE, {"model.layers": [{"position": "NoPosition"}]})
    with pytest.raises(RecipeError, match=r"model: Decoder: model\.layers: NoPosition adds to the embeddings"):
        recipe.built.try_on_meta(vocab_size=50)


def test_factories_are_picklable_and_make_fresh_instances() -> None:
    built = load_recipe(BASE).built
    factory = pickle.loads(pickle.dumps(built.decoder_arguments["ffn"]))
    one, other = factory(d_model=16, layer=0), factory(d_model=16, layer=1)
    assert one is not other
    with torch.device("meta"):
        decoder = built.decoder(50)
    attentions = [block.attention for block in decoder.blocks]
    assert len({id(a.position) for a in attentions}) == len(attentions)


def test_user_class_in_the_current_folder_needs_no_registration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "from zoo.norms.base import Norm\n"
        "class Halve(Norm):\n"
        "    def __init__(self, *, d_model: int, by: float = 2.0):\n"
        "        super().__init__()\n"
        "        self.by = by\n"
        "    def forward(self, x):\n"
        "        return x / self.by\n"
    )
    (tmp_path / "own_norm.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    recipe = load_recipe(BASE, {"model.norm": "own_norm.Halve", "model.norm.by": 4})
    assert recipe.resolved["model"]["norm"] == {"class_path": "own_norm.Halve", "init_args": {"by": 4.0}}
    decoder, _ = recipe.built.try_on_meta(vocab_size=50)
    assert decoder.norm is not None and decoder.norm.by == 4.0  # type: ignore[union-attr]
    before = recipe.identity("x")
    (tmp_path / "own_norm.py").write_text(source + "# edited\n")
    assert recipe.identity("x") != before, "editing a class of one's own is a new arm"


def test_identity_ignores_seed_name_and_logger_but_no_option() -> None:
    def identity(store: str = "s", name: str = "a", **overrides: Any) -> str:
        keys = {key.replace("__", "."): value for key, value in overrides.items()}
        return Recipe(name, load_recipe(BASE, keys).resolved).identity(store)

    same = identity()
    assert same == identity(name="b") == identity(seed=7)
    assert same == identity(trainer__logger={"class_path": "lightning.pytorch.loggers.CSVLogger"})
    others = [identity(model__optimizer__lr=1e-4), identity(store="t"), identity(budget={"tokens": 1e6})]
    others += [
        identity(model__ffn__multiple_of=16),
        identity(data__seq_len=64),
        identity(model__layers=[{"repeat": 2}]),
    ]
    assert len({same, *others}) == len(others) + 1
    assert len(same) == 12 and int(same, 16) >= 0


def test_a_list_of_components_resolves_builds_and_dumps(tmp_path: Path) -> None:
    """Bare names and mappings, each of its own class, in their order; an override replaces the whole list."""
    path = tmp_path / "filtered.yaml"
    path.write_text(
        f"base: {BASE}\ndata.filters: [ExactDedup, {{class_path: zoo.data.filters.GopherQuality, "
        "init_args: {min_words: 2e1}}, {class_path: ExactDedup, init_args: {normalise: true}}]\n"
    )
    recipe = load_recipe(path)
    first, second, third = recipe.resolved["data"]["filters"]
    assert first == {"class_path": "zoo.data.filters.ExactDedup", "init_args": {"normalise": False}}
    assert second["class_path"] == "zoo.data.filters.GopherQuality"
    assert second["init_args"]["min_words"] == 20 and second["init_args"]["max_words"] == 100_000
    assert third["init_args"] == {"normalise": True}
    assert [type(each).__name__ for each in recipe.built.data.filters] == ["ExactDedup", "GopherQuality", "ExactDedup"]
    assert [each.options for each in recipe.built.data.filters][2] == {"normalise": True}
    path.write_text(recipe.dump())
    assert load_recipe(path).resolved == recipe.resolved
    replaced = load_recipe(path, ["--data.filters=[ScriptShare]"])
    assert [type(each).__name__ for each in replaced.built.data.filters] == ["ScriptShare"]
    assert load_recipe(BASE).built.data.filters == []


def test_filters_stand_behind_the_fingerprint_of_the_store() -> None:
    filtered = load_recipe(BASE, {"data.filters": ["ExactDedup"]})
    assert filtered.identity("same") == load_recipe(BASE).identity("same")


def test_every_component_in_a_resolved_recipe_is_fully_named() -> None:
    for component in each_component(load_recipe(BASE).resolved):
        assert component["class_path"].startswith("zoo.") and set(component) == {"class_path", "init_args"}


def test_families_agree_with_their_packages() -> None:
    for family in FAMILIES:
        for name, cls in variants(family).items():
            slot = slot_of(base_class(family)) or None
            if slot is not None:
                assert find_class(name, slot) is cls


def test_an_ablation_is_not_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"base: {BASE}\nablation: {{}}\n")
    with pytest.raises(RecipeError, match=r"this is an ablation: run it with `zoo ablate "):
        load_recipe(path)


def test_items_of_a_list_are_set_by_their_number() -> None:
    weight, kinds = "data.corpus.sources.0.weight=0.5", "data.corpus.sources.1.corpus.kinds=[prose]"
    recipe = load_recipe(BASE.parent / "data" / "mixture.yaml", [weight, kinds, "model.optimizer.betas.1=0.99"])
    prose, programs = recipe.resolved["data"]["corpus"]["init_args"]["sources"]
    assert (prose["weight"], programs["weight"]) == (0.5, 0.3)
    assert programs["corpus"]["init_args"]["kinds"] == ["prose"] and prose["name"] == "prose"
    assert recipe.resolved["model"]["optimizer"]["init_args"]["betas"] == [0.9, 0.99]
    line = r"mixture\.yaml: data\.corpus\.sources\.2: the list data\.corpus\.sources has no such item: it has 2 items"
    with pytest.raises(RecipeError, match=line):
        load_recipe(BASE.parent / "data" / "mixture.yaml", ["data.corpus.sources.2.weight=1"])
