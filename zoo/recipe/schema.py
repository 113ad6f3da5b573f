"""What a recipe may say, read from the signatures of the classes themselves: there is no second list of keys."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from torch import nn

from zoo.families import FAMILIES, base_class, variants
from zoo.recipe.errors import Problem
from zoo.wording import listing, nearest


class Key(NamedTuple):
    """One key that a section or a class takes. `default` is `inspect.Parameter.empty` where it must be given."""

    annotation: Any
    default: Any


class Slot(NamedTuple):
    """A key whose value is a component.

    Attributes:
        base: the abstract class that the value's class must extend.
        given: constructor arguments that the caller supplies, so that a recipe cannot.
        optional: whether null is a value.
    """

    base: type
    given: frozenset[str]
    optional: bool


def section_keys() -> dict[str, dict[str, Key]]:
    """Keys of each section of a recipe."""
    from zoo.decoder import Decoder
    from zoo.inits.base import Init
    from zoo.optimizers.base import OptimizerFactory
    from zoo.recipe.options import Budget, DataOptions, TrainerOptions
    from zoo.schedules.base import Schedule

    required = inspect.Parameter.empty
    training = {"init": Key(Init, required), "optimizer": Key(OptimizerFactory, required)}
    training["schedule"] = Key(Schedule, required)
    return {
        "model": keys_of(Decoder, frozenset({"vocab_size"})) | training,
        "data": keys_of(DataOptions),
        "trainer": keys_of(TrainerOptions),
        "budget": keys_of(Budget),
    }


def keys_of(target: type, given: frozenset[str] = frozenset()) -> dict[str, Key]:
    """Arguments of a class's constructor that a recipe may set.

    Raises:
        ValueError: the constructor takes **kwargs, so nothing could check a recipe's keys.
    """
    constructor: Callable[..., None] = getattr(target, "__init__")  # noqa: B009, mypy takes the dotted form for an instance
    if constructor in (object.__init__, nn.Module.__init__):
        return {}  # the class has no constructor of its own
    hints = typing.get_type_hints(constructor, include_extras=True)
    keys = {}
    for name, parameter in list(inspect.signature(constructor).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            raise ValueError(f"{target.__name__} takes {parameter}: nothing could check a recipe's keys")
        if name not in given:
            keys[name] = Key(hints.get(name, Any), parameter.default)
    return keys


def members(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of a union; of anything else itself."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def slot_of(annotation: Any) -> Slot | None:
    """How a component fits an annotation, or None where the annotation is no component's."""
    alternatives = members(annotation)
    for kind in alternatives:
        if not inspect.isclass(kind):
            continue
        optional = type(None) in alternatives
        if getattr(kind, "_is_protocol", False) and "__call__" in vars(kind):
            call = vars(kind)["__call__"]
            parameters = frozenset(inspect.signature(call).parameters) - {"self"}
            return Slot(typing.get_type_hints(call)["return"], parameters, optional)
        if inspect.isabstract(kind) and kind in plain_bases():
            return Slot(kind, frozenset(), optional)
    return None


def item_slot_of(annotation: Any) -> Slot | None:
    """How the components of a list fit an annotation (`list[Filter]`), or None where it is no list of components."""
    if typing.get_origin(annotation) is not list:
        return None
    (item,) = typing.get_args(annotation)
    return slot_of(item)


def plain_bases() -> set[type]:
    """Families whose members are values that need nothing from the model: a recipe holds them whole."""
    return {base_class(name) for name, family in FAMILIES.items() if family.factory is None}


def record_of(annotation: Any) -> type | None:
    """The dataclass of `list[SomeDataclass] | None` (the layers of a hybrid), else None."""
    for kind in members(annotation):
        if typing.get_origin(kind) is list:
            (item,) = typing.get_args(kind)
            if inspect.isclass(item) and dataclasses.is_dataclass(item):
                return item
    return None


def family_of(base: type) -> str | None:
    """The family that a base class heads; torch's own Optimizer stands for ours, which extends it."""
    for family in FAMILIES:
        head = base_class(family)
        if head is base or (family == "optimizers" and base.__module__.startswith("torch.optim")):
            return family
    return None


def find_class(name: Any, slot: Slot) -> type | Problem:
    """The class that a recipe names, by import path or, where that is unique, by its bare name."""
    if not isinstance(name, str) or not name:
        return Problem("class_path", f"expected the name of a class, got {name!r}")
    family = family_of(slot.base)
    known = variants(family) if family else {}
    found = _import(name, known) if "." in name else _bare(name, known, family)
    if isinstance(found, Problem):
        return found
    if not inspect.isclass(found):
        return Problem("", f"{name} is not a class")
    if not issubclass(found, slot.base):
        other = _home(found)
        what = f"is of the family {other}" if other else "is of no family of zoo"
        return Problem("", f"{found.__name__} {what}, expected one of {family or slot.base.__name__}: {listing(known)}")
    if inspect.isabstract(found):
        return Problem("", f"{found.__name__} is abstract, expected one of {family}: {listing(known)}")
    return found


def _bare(name: str, known: dict[str, type], family: str | None) -> Any:
    if name in known:
        return known[name]
    for other in FAMILIES:
        if other != family and name in variants(other):
            return variants(other)[name]
    return Problem("", f"unknown class {name!r}{nearest(name, known)} {family} holds {listing(known)}")


def _import(path: str, known: dict[str, type]) -> Any:
    module_name, _, attribute = path.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        return Problem("", f"cannot import {path!r}: no module named {error.name!r}{nearest(attribute, known)}")
    except (Exception, SystemExit) as error:  # a user's module may fail in any way: news, no crash of ours
        return Problem("", f"cannot import {path!r}: {type(error).__name__}: {error}")
    if not hasattr(module, attribute):
        names = [n for n in dir(module) if inspect.isclass(getattr(module, n))]
        return Problem("", f"unknown class: {module_name} has no {attribute!r}{nearest(attribute, names)}")
    return getattr(module, attribute)


def _home(cls: type) -> str | None:
    return next((family for family in FAMILIES if issubclass(cls, base_class(family))), None)


def public_path(cls: type) -> str:
    """The import path that recipes use: `zoo.attention.FullAttention`, not the file it lies in."""
    family = _home(cls)
    if family and variants(family).get(cls.__name__) is cls:
        return f"{FAMILIES[family].package}.{cls.__name__}"
    return f"{cls.__module__}.{cls.__qualname__}"


def each_component(value: Any) -> Iterator[dict[str, Any]]:
    """Every {class_path, init_args} in a resolved recipe."""
    if isinstance(value, dict):
        if "class_path" in value:
            yield value
        for inner in value.values():
            yield from each_component(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from each_component(inner)
