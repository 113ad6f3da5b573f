"""A merged recipe made whole: full class paths, every default written out, every name and type checked."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from zoo.recipe.errors import Problem
from zoo.recipe.schema import (
    Key,
    Slot,
    find_class,
    item_slot_of,
    keys_of,
    public_path,
    record_of,
    section_keys,
    slot_of,
)
from zoo.recipe.typecheck import coerce, type_problem
from zoo.wording import listing, nearest

TOP_KEYS = ("model", "data", "trainer", "budget", "seed")


class Resolver:
    """Walks a recipe beside the signatures it must fit; collects every problem instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, key: str, message: str) -> None:
        self.problems.append(Problem(key, message))

    def recipe(self, tree: dict[str, Any]) -> dict[str, Any]:
        for key in tree:
            if key not in TOP_KEYS:
                self.problem(key, f"unknown key{nearest(key, TOP_KEYS)} A recipe takes {listing(TOP_KEYS)}")
        resolved: dict[str, Any] = {}
        for name, keys in section_keys().items():
            section = tree.get(name)
            if not isinstance(section, dict):
                came = "nothing" if section is None else repr(section)
                self.problem(name, f"expected a mapping of {listing(keys)}, got {came}")
                continue
            resolved[name] = self.arguments(section, keys, name, f"{name} takes")
        resolved["seed"] = self.leaf("seed", Key(int, inspect.Parameter.empty), tree.get("seed"))
        if isinstance(resolved["seed"], int) and not is_seed(resolved["seed"]):
            self.problem("seed", f"expected a whole number from 0 to 2**63 - 1, got {resolved['seed']}")
        return resolved

    def arguments(self, given: dict[str, Any], keys: dict[str, Key], where: str, takes: str) -> dict[str, Any]:
        for name in given:
            if name not in keys:
                self.problem(f"{where}.{name}", f"unknown key{nearest(str(name), keys)} {takes} {listing(keys)}")
        values = {}
        for name, key in keys.items():
            path = f"{where}.{name}"
            if name in given:
                values[name] = self.value(path, key, given[name])
            elif key.default is inspect.Parameter.empty:
                self.problem(path, f"missing, and it has no default; {takes} {listing(keys)}")
            else:
                values[name] = plain(key.default)
        return values

    def value(self, path: str, key: Key, value: Any) -> Any:
        slot = slot_of(key.annotation)
        if slot is not None:
            return self.component(path, slot, value)
        item_slot = item_slot_of(key.annotation)
        if item_slot is not None:
            return self.components(path, item_slot, value)
        record = record_of(key.annotation)
        if record is not None and isinstance(value, list):
            return [self.record(f"{path}.{i}", record, item) for i, item in enumerate(value)]
        return self.leaf(path, key, value)

    def leaf(self, path: str, key: Key, value: Any) -> Any:
        value = coerce(key.annotation, value)
        if message := type_problem(key.annotation, value):
            self.problem(path, message)
        return value

    def record(self, path: str, record: type, value: Any) -> Any:
        if not isinstance(value, dict):
            self.problem(path, f"expected a mapping, got {value!r}")
            return value
        keys = keys_of(record)
        return self.arguments(value, keys, path, f"{record.__name__} takes")

    def components(self, path: str, slot: Slot, value: Any) -> Any:
        if not isinstance(value, list):
            came = "null" if value is None else repr(value)
            self.problem(path, f"expected a list of classes of {slot.base.__name__}, as [Name, ...] or [], got {came}")
            return []
        return [self.component(f"{path}.{i}", slot, item) for i, item in enumerate(value)]

    def component(self, path: str, slot: Slot, value: Any) -> Any:
        if value is None:
            if not slot.optional:
                self.problem(path, f"expected a {slot.base.__name__}, got null")
            return None
        if isinstance(value, str):
            value = {"class_path": value}
        if not isinstance(value, dict) or "class_path" not in value:
            self.problem(
                path, f"expected a class of {slot.base.__name__} (a name, or class_path and init_args), got {value!r}"
            )
            return None
        for extra in set(value) - {"class_path", "init_args"}:
            self.problem(f"{path}.{extra}", "unknown key; arguments stand under init_args beside class_path")
        found = find_class(value["class_path"], slot)
        if isinstance(found, Problem):
            self.problem(path, found.message)
            return None
        arguments = value.get("init_args") or {}
        if not isinstance(arguments, dict):
            self.problem(f"{path}.init_args", f"expected a mapping, got {arguments!r}")
            return None
        try:
            keys = keys_of(found, slot.given)
        except ValueError as error:
            self.problem(path, str(error))
            return None
        takes = f"{found.__name__} takes"
        return {"class_path": public_path(found), "init_args": self.arguments(arguments, keys, path, takes)}


def is_seed(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def plain(value: Any) -> Any:
    """A default as YAML can write it."""
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    return value
