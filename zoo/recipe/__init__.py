"""Recipes: YAML that fully describes a training run, or a difference from a `base:` recipe.

`load_recipe(path, overrides)` reads, merges, checks and fills in a recipe; `Recipe.build()` makes its objects.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from zoo.recipe.errors import Problem, RecipeError
from zoo.recipe.files import merge_all, nest, parse_yaml, read_chain

if TYPE_CHECKING:
    from zoo.recipe.build import Built

__all__ = ["Problem", "Recipe", "RecipeError", "load_recipe", "parse_override", "resolve_recipe"]


@dataclass(frozen=True)
class Recipe:
    """A checked recipe, every default written out.

    Attributes:
        name: for people; not part of the identity.
        resolved: sections `model`, `data`, `trainer`, `budget`, and `seed`.
    """

    name: str
    resolved: dict[str, Any]

    @property
    def seed(self) -> int:
        return self.resolved["seed"]

    @cached_property
    def built(self) -> Built:
        """The recipe as objects.

        Raises:
            RecipeError: a class refuses a value.
        """
        from zoo.recipe.build import build

        try:
            return build(self.resolved)
        except RecipeError as error:
            raise RecipeError(error.lines, self.name) from error

    def try_on_meta(self) -> None:
        """Build model and optimizer once without storage, at a vocabulary of 256: whatever a class refuses is said
        before anything is made.

        Raises:
            RecipeError: a class refuses a value.
        """
        try:
            self.built.try_on_meta(vocab_size=256)
        except RecipeError as error:
            lines = [line.removeprefix(f"{self.name}: ") for line in error.lines]
            raise RecipeError(lines, self.name) from error

    def dump(self) -> str:
        """The resolved recipe as YAML; loading it again gives the same recipe."""
        return yaml.dump(self.resolved, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)

    def identity(self, store_fingerprint: str) -> str:
        """What makes two configurations the same, as 12 hex digits: all options, the data and tokenizer behind
        `store_fingerprint`, zoo's version, the source of every class outside zoo; not the seed, name, paths or loggers.
        """
        from zoo import __version__

        tree = json.loads(json.dumps(self.resolved))
        tree.pop("seed")
        tree["trainer"].pop("logger")
        for key in (
            "corpus",
            "filters",
            "tokenizer",
            "split",
        ):  # the fingerprint stands for them, from wherever they came
            tree["data"].pop(key)
        body = {"recipe": tree, "store": store_fingerprint, "zoo": __version__, "foreign": foreign_sources(tree)}
        return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]


def load_recipe(path: Path | str, overrides: Iterable[str] | Mapping[str, Any] = ()) -> Recipe:
    """Read, merge, check and fill in a recipe.

    Args:
        path: of a YAML file; its `base:` is relative to it.
        overrides: `model.d_model=256` strings, or a mapping of dotted keys; laid over the file before it is checked.

    Raises:
        RecipeError: every mistake in it, one line each.
    """
    trees = [layer.tree for layer in read_chain(path)]
    changes = override_trees(overrides)
    try:
        tree = merge_all([*trees, *changes])
    except RecipeError as error:
        raise RecipeError(error.lines, str(path)) from error
    if "ablation" in tree:
        raise RecipeError([f"this is an ablation: run it with `zoo ablate {path}`"], str(path))
    return resolve_recipe(tree, Path(path).stem, str(path))


def resolve_recipe(tree: dict[str, Any], name: str, where: str) -> Recipe:
    """Check a merged recipe and write its defaults out; `where` opens each line of an error."""
    from zoo.recipe.resolve import Resolver

    resolver = Resolver()
    resolved = resolver.recipe(tree)
    if resolver.problems:
        raise RecipeError(resolver.problems, where)
    return Recipe(name, resolved)


def override_trees(overrides: Iterable[str] | Mapping[str, Any]) -> list[dict[str, Any]]:
    if isinstance(overrides, Mapping):
        return [nest(key, value) for key, value in overrides.items()]
    return [nest(*parse_override(text)) for text in overrides]


def parse_override(text: str) -> tuple[str, Any]:
    """`model.d_model=256` as ("model.d_model", 256); the value is YAML.

    Raises:
        RecipeError: there is no `=`, or the value is not YAML.
    """
    key, equals, value = text.lstrip("-").partition("=")
    if not equals or not key:
        raise RecipeError([f"expected --key.path=value, got {text!r}"])
    return key, parse_yaml(value, f"--{key}")


def foreign_sources(tree: Any) -> dict[str, str]:
    """Hash of the source file of every class outside zoo and torch that a recipe names: editing it is a new arm."""
    from zoo.recipe.schema import each_component

    hashes = {}
    for component in each_component(tree):
        module_name = component["class_path"].rpartition(".")[0]
        if module_name.split(".")[0] in ("zoo", "torch"):
            continue
        source = inspect.getsourcefile(importlib.import_module(module_name))
        text = Path(source).read_bytes() if source else b""
        hashes[component["class_path"]] = hashlib.sha256(text).hexdigest()
    return hashes


class _Dumper(yaml.SafeDumper):
    """Floats as YAML 1.2 reads them back: PyYAML writes 1e-05 without the dot, which its own loader takes for text."""


def _float(dumper: _Dumper, value: float) -> yaml.ScalarNode:
    text = {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), repr(value))
    if "e" in text and "." not in text:
        text = text.replace("e", ".0e")
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


def _list(dumper: _Dumper, value: list[Any]) -> yaml.SequenceNode:
    flat = not any(isinstance(item, (dict, list)) for item in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flat)


_Dumper.add_representer(float, _float)
_Dumper.add_representer(list, _list)
_Dumper.ignore_aliases = lambda self, data: True  # type: ignore[method-assign]
