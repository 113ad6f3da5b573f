"""Types of single values: jsonargparse decides, one line says it."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, get_args, get_origin

from zoo.recipe.schema import members
from zoo.wording import nearest


def coerce(annotation: Any, value: Any) -> Any:
    """A number in the type that is wanted: 1e3 where an int is wanted is 1000, 1 where a float is wanted is 1.0."""
    kinds = members(annotation)
    if isinstance(value, float) and int in kinds and float not in kinds and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and float in kinds and int not in kinds:
        return float(value)
    return value


def type_problem(annotation: Any, value: Any) -> str | None:
    """What is wrong with a value, or None."""
    if annotation is Any:
        return None
    came = f"got {value!r} ({type(value).__name__})"
    kinds = members(annotation)
    if isinstance(value, (str, bool)) and _numeric_only(kinds):  # the parser below would read numbers out of strings
        return f"expected {spoken(annotation)}, {came}"
    for kind in kinds:
        if get_origin(kind) is Literal and isinstance(value, str) and type(None) not in kinds:
            words = [str(word) for word in get_args(kind)]
            return None if value in words else f"expected one of {', '.join(words)}, {came}{nearest(value, words)}"
    try:
        parse_value(parser_of(annotation), value)
    except Exception:
        if isinstance(value, str) and any(_is_list(kind) for kind in kinds):
            return f"expected a list, as [{value}], {came}"
        return f"expected {spoken(annotation)}, {came}"
    return None


def _is_list(kind: Any) -> bool:
    """Whether it is a list of any length of what a word may be."""
    return get_origin(kind) in (list, Sequence) and str in members(get_args(kind)[0])


def _numeric_only(kinds: tuple[Any, ...]) -> bool:
    return all(kind in (int, float, type(None)) for kind in kinds)


@cache
def parser_of(annotation: Any) -> Any:
    """A parser of one value of this type."""
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=annotation)
    return parser


def parse_value(parser: Any, value: Any) -> Any:
    """A value as the parser's namespace; of a copy, for jsonargparse rewrites the lists it is given."""
    return parser.parse_object({"value": copy.deepcopy(value)})


def spoken(annotation: Any) -> str:
    """An annotation as a person would say it: `int or null`, `list[float]`."""
    names = []
    for kind in members(annotation):
        if kind is type(None):
            names.append("null")
        elif inspect.isclass(kind) and get_origin(kind) is None:
            names.append(kind.__name__)
        else:
            names.append(re.sub(r"\bSequence\b", "list", re.sub(r"\b(typing|collections\.abc)\.", "", str(kind))))
    return " or ".join(names)
