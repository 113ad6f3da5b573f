"""Recipe files: YAML 1.2 scalars, `base:` chains, and the merge that never lets an old class's arguments leak."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zoo.recipe.errors import Problem, RecipeError
from zoo.wording import nearest

Tree = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """YAML 1.2 core scalars: PyYAML's 1.1 reads 3e-4 as a string and `no` as false."""


_Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in (
    ("tag:yaml.org,2002:bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("tag:yaml.org,2002:null", r"null|Null|NULL|~|", "nN~\0"),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "tag:yaml.org,2002:float",
        r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("tag:yaml.org,2002:merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(tag, re.compile(f"^(?:{pattern})$"), [*first, ""] if "null" in tag else list(first))


def _int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = node.value.replace("_", "")
    return int(text, 0 if text[:2] in ("0o", "0x") else 10)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Tree:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, (str, int, float)) or isinstance(key, bool):
            raise yaml.constructor.ConstructorError(None, None, f"{key!r} cannot be a key", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
        seen.add(key)
    loader.flatten_mapping(node)
    return {str(k): v for k, v in loader.construct_pairs(node, deep=True)}


_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def parse_yaml(text: str, where: str) -> Any:
    """A YAML 1.2 document as Python values.

    Raises:
        RecipeError: the text is not YAML, or a key stands twice; with line and column.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise RecipeError([f"{error.problem}"], f"{where}{at}") from None
    except yaml.YAMLError as error:
        raise RecipeError([str(error)], where) from None


@dataclass(frozen=True)
class Layer:
    """One file of a `base:` chain, without its `base` key."""

    path: Path
    tree: Tree


def read_chain(path: Path | str) -> list[Layer]:
    """The files a recipe is made of, from the root base to the recipe itself.

    Raises:
        RecipeError: a file is missing (with the nearest name in its folder), not a mapping, or its own base.
    """
    chain: list[Layer] = []
    current, asked_by = Path(path), ""
    seen: list[Path] = []
    while True:
        if not current.is_file():
            names = [p.stem for p in current.parent.glob("*.yaml")] if current.parent.is_dir() else []
            what = "is a folder, not a recipe" if current.is_dir() else "no such file"
            hint = nearest(current.stem, names).replace("'?", ".yaml'?")
            raise RecipeError([f"{current}: {what}{hint}{asked_by}"])
        resolved = current.resolve()
        if resolved in seen:
            round_trip = " -> ".join(p.name for p in [*seen[seen.index(resolved) :], resolved])
            raise RecipeError([f"base: a cycle: {round_trip}"], str(path))
        seen.append(resolved)
        try:
            text = current.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError([f"cannot be read: {error}"], str(current)) from error
        tree = parse_yaml(text, str(current))
        tree = {} if tree is None else tree
        if not isinstance(tree, dict):
            raise RecipeError([f"a recipe is a mapping, this is a {type(tree).__name__}"], str(current))
        base = tree.pop("base", None)
        chain.insert(0, Layer(resolved, expand(tree)))
        if base is None:
            return chain
        if not isinstance(base, str):
            raise RecipeError([f"base: expected the path of a recipe, got {base!r}"], str(current))
        asked_by = f" (the base of {current})"
        current = current.parent / base


def expand(tree: Mapping[str, Any]) -> Tree:
    """A mapping whose keys may be dotted (`model.d_model: 64`) as a nested one."""
    nested: Tree = {}
    for key, value in tree.items():
        nested = merge(nested, nest(key, value))
    return nested


def nest(dotted: str, value: Any) -> Tree:
    head, _, rest = dotted.partition(".")
    return {head: nest(rest, value) if rest else copy.deepcopy(value)}


def merge_all(trees: Iterable[Mapping[str, Any]]) -> Tree:
    merged: Tree = {}
    for tree in trees:
        merged = merge(merged, tree)
    return merged


def merge(old: Mapping[str, Any], new: Mapping[str, Any], where: str = "") -> Tree:
    """`new` laid over `old`: a component given with another class drops the old arguments, any other mapping merges,
    everything else (lists too) replaces. A budget is one choice out of several, so it replaces as well. A mapping of
    numbers over a list is laid over those of its items: `sources.0.weight`.

    Args:
        where: key of the mappings themselves, for errors.

    Raises:
        RecipeError: a list has no such item.
    """
    merged = copy.deepcopy(dict(old))
    for key, value in new.items():
        if key == "budget" or key not in merged:
            merged[key] = copy.deepcopy(value)
        else:
            merged[key] = _merge_value(merged[key], value, f"{where}.{key}" if where else str(key))
    return merged


def _merge_value(old: Any, new: Any, where: str) -> Any:
    if isinstance(old, list) and isinstance(new, dict) and new and all(str(key).isdecimal() for key in new):
        return _merge_items(old, new, where)
    names_class = isinstance(new, str) or (isinstance(new, dict) and "class_path" in new)
    if is_component(old) and names_class:
        given = {"class_path": new} if isinstance(new, str) else new
        if not same_class(old["class_path"], given["class_path"]):
            return copy.deepcopy(given)
        if not given.get("init_args"):
            return old
        new = {"init_args": given["init_args"]}
    if isinstance(new, dict) and isinstance(old, str) and not names_class:
        old = {"class_path": old}  # `norm: RMSNorm`, then `norm.eps: 1e-3`
    if is_component(old) and isinstance(new, dict):
        arguments = new["init_args"] if set(new) == {"init_args"} else new
        return {**old, "init_args": merge(old.get("init_args") or {}, arguments or {}, where)}
    if isinstance(old, dict) and isinstance(new, dict):
        return merge(old, new, where)
    return copy.deepcopy(new)


def _merge_items(old: list[Any], new: Mapping[str, Any], where: str) -> list[Any]:
    items = copy.deepcopy(old)
    for key, value in new.items():
        if int(key) >= len(items):
            there = "it is empty"
            if items:
                there = f"it has {len(items)} {'item' if len(items) == 1 else 'items'}, numbered from 0"
            raise RecipeError([Problem(f"{where}.{key}", f"the list {where} has no such item: {there}")])
        items[int(key)] = _merge_value(items[int(key)], value, f"{where}.{key}")
    return items


def is_component(value: Any) -> bool:
    return isinstance(value, dict) and "class_path" in value


def same_class(one: str, other: str) -> bool:
    """`RMSNorm`, `zoo.norms.RMSNorm` and `zoo.norms.rms.RMSNorm` are the same class."""
    if one == other:
        return True
    first, second = one.split("."), other.split(".")
    ours = [parts for parts in (first, second) if len(parts) > 1]
    in_zoo = bool(ours) and all(parts[0] == "zoo" for parts in ours) and len({parts[1] for parts in ours}) == 1
    return in_zoo and first[-1] == second[-1]
