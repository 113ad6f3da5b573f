"""YAML 1.2 scalars, base chains, and the merge that drops an old class's arguments."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.recipe import RecipeError, parse_override
from zoo.recipe.files import expand, merge, parse_yaml, read_chain, same_class


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3e-4", 3e-4),
        ("1e9", 1e9),
        ("1.5E+3", 1500.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("12", 12),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("010", 10),  # YAML 1.1 reads 8
        ("yes", "yes"),  # YAML 1.1 reads true
        ("on", "on"),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("1:30", "1:30"),  # YAML 1.1 reads 90
        (".inf", math.inf),
        ("1_000", 1000),
        ("1e-3.5", "1e-3.5"),
    ],
)
def test_scalars_are_yaml_1_2(text: str, value: Any) -> None:
    read = parse_yaml(f"key: {text}", "here")["key"]
    assert read == value and type(read) is type(value)


@given(st.floats(allow_nan=False) | st.integers() | st.booleans() | st.none())
def test_dumped_scalars_read_back(value: Any) -> None:
    import yaml

    from zoo.recipe import _Dumper

    assert parse_yaml(yaml.dump({"k": [value, {"a": value}]}, Dumper=_Dumper), "here") == {"k": [value, {"a": value}]}


def test_yaml_errors_name_file_and_line() -> None:
    with pytest.raises(RecipeError, match=r"^here:2:4: "):
        parse_yaml("a: 1\nb: }", "here")
    with pytest.raises(RecipeError, match=r"^here:2:1: the key 'a' stands twice$"):
        parse_yaml("a: 1\na: 2", "here")


CASES: list[tuple[str, Any, Any, Any]] = [
    ("new class drops arguments", {"class_path": "A", "init_args": {"x": 1}}, {"class_path": "B"}, {"class_path": "B"}),
    ("new class as a bare name", {"class_path": "A", "init_args": {"x": 1}}, "B", {"class_path": "B"}),
    (
        "same class merges",
        {"class_path": "A", "init_args": {"x": 1, "y": 2}},
        {"class_path": "A", "init_args": {"x": 3}},
        {"class_path": "A", "init_args": {"x": 3, "y": 2}},
    ),
    (
        "bare name of the same class merges",
        {"class_path": "zoo.norms.RMSNorm", "init_args": {"eps": 1}},
        {"class_path": "RMSNorm", "init_args": {"eps": 2}},
        {"class_path": "zoo.norms.RMSNorm", "init_args": {"eps": 2}},
    ),
    (
        "arguments reach through",
        {"class_path": "A", "init_args": {"x": 1, "y": 2}},
        {"x": 3},
        {"class_path": "A", "init_args": {"x": 3, "y": 2}},
    ),
    ("arguments reach a bare name", "A", {"x": 3}, {"class_path": "A", "init_args": {"x": 3}}),
    ("init_args alone merge", {"class_path": "A"}, {"init_args": {"x": 3}}, {"class_path": "A", "init_args": {"x": 3}}),
    ("a list replaces", [1, 2, 3], [4], [4]),
    ("a number reaches an item", [1, 2, 3], {"1": 4}, [1, 4, 3]),
    ("and what is in it", [{"x": 1, "y": 2}, "A"], {"0": {"x": 3}}, [{"x": 3, "y": 2}, "A"]),
    (
        "an item is a component too",
        ["A", {"class_path": "B", "init_args": {"x": 1}}],
        {"0": {"x": 2}, "1": "C"},
        [{"class_path": "A", "init_args": {"x": 2}}, {"class_path": "C"}],
    ),
    (
        "through a component into its list",
        {"class_path": "A", "init_args": {"parts": [{"x": 1}, {"x": 2}]}},
        {"parts": {"1": {"x": 3}}},
        {"class_path": "A", "init_args": {"parts": [{"x": 1}, {"x": 3}]}},
    ),
    ("a mapping of other keys replaces a list", [1, 2], {"0": 3, "a": 4}, {"0": 3, "a": 4}),
    ("a mapping merges", {"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
    ("null replaces", {"class_path": "A"}, None, None),
]


@pytest.mark.parametrize(("old", "new", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_merge(old: Any, new: Any, expected: Any) -> None:
    before = repr((old, new))
    assert merge({"model": {"part": old}}, {"model": {"part": new}}) == {"model": {"part": expected}}
    assert repr((old, new)) == before, "merging changed its input"


def test_a_budget_replaces() -> None:
    assert merge({"budget": {"flops": 1.0}}, {"budget": {"tokens": 2.0}}) == {"budget": {"tokens": 2.0}}


def test_an_item_that_is_not_there_is_named_with_its_key() -> None:
    old = {"data": {"corpus": {"class_path": "A", "init_args": {"parts": [1, 2]}}}}
    with pytest.raises(
        RecipeError,
        match=r"^data\.corpus\.parts\.2: the list data\.corpus\.parts has no such item: it has 2 items, number",
    ):
        merge(old, {"data": {"corpus": {"parts": {"2": 3}}}})


def test_dotted_keys() -> None:
    assert expand({"model.d_model": 64, "model.ffn": "MLP"}) == {"model": {"d_model": 64, "ffn": "MLP"}}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("RMSNorm", "zoo.norms.RMSNorm", True),
        ("RMSNorm", "mine.RMSNorm", False),
        ("a.B", "a.B", True),
        ("A", "B", False),
    ],
)
def test_same_class(one: str, other: str, same: bool) -> None:
    assert same_class(one, other) is same and same_class(other, one) is same


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


def test_chain_runs_from_the_root_base(tmp_path: Path) -> None:
    write(tmp_path, root="a: 1", middle="base: root.yaml\nb: 2", leaf="base: middle.yaml\nc: 3")
    assert [layer.tree for layer in read_chain(tmp_path / "leaf.yaml")] == [{"a": 1}, {"b": 2}, {"c": 3}]


def test_cycle_is_named(tmp_path: Path) -> None:
    write(tmp_path, one="base: two.yaml", two="base: one.yaml")
    with pytest.raises(RecipeError, match=r"one\.yaml: base: a cycle: one\.yaml -> two\.yaml -> one\.yaml$"):
        read_chain(tmp_path / "one.yaml")


def test_missing_file_has_a_nearest_name(tmp_path: Path) -> None:
    write(tmp_path, sliding="a: 1", leaf="base: slidng.yaml")
    with pytest.raises(RecipeError, match=r"slidng\.yaml: no such file; did you mean 'sliding\.yaml'\? \(the base of "):
        read_chain(tmp_path / "leaf.yaml")


def test_a_file_that_is_not_text_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "leaf.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(RecipeError, match=r"leaf\.yaml: cannot be read: 'utf-8' codec can't decode"):
        read_chain(tmp_path / "leaf.yaml")


def test_yaml_merge_keys() -> None:
    assert parse_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}", "here")["b"] == {"x": 1, "y": 3}


def test_a_recipe_is_a_mapping(tmp_path: Path) -> None:
    write(tmp_path, leaf="- 1\n- 2")
    with pytest.raises(RecipeError, match=r"leaf\.yaml: a recipe is a mapping, this is a list$"):
        read_chain(tmp_path / "leaf.yaml")


def test_override_texts() -> None:
    assert parse_override("--model.d_model=256") == ("model.d_model", 256)
    assert parse_override("model.optimizer.lr=3e-4") == ("model.optimizer.lr", 3e-4)
    assert parse_override("model.layers=[{repeat: 2}]") == ("model.layers", [{"repeat": 2}])
    with pytest.raises(RecipeError, match=r"^expected --key\.path=value, got 'x'$"):
        parse_override("x")
