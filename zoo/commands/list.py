"""`zoo list`: what there is, read from the classes themselves."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import sys
import textwrap
from typing import Any

from zoo.families import FAMILIES, variants
from zoo.recipe.errors import RecipeError
from zoo.recipe.resolve import plain
from zoo.recipe.schema import keys_of, slot_of
from zoo.recipe.typecheck import spoken
from zoo.wording import listing, nearest


def run(arguments: argparse.Namespace, overrides: list[str]) -> int:
    if arguments.family is not None and arguments.family not in FAMILIES:
        hint = nearest(arguments.family, FAMILIES)
        raise RecipeError([f"unknown family {arguments.family!r}{hint} They are {listing(FAMILIES)}"])
    families = [arguments.family] if arguments.family else list(FAMILIES)
    facts = {family: {name: _facts(family, cls) for name, cls in variants(family).items()} for family in families}
    if arguments.json:
        json.dump(facts, sys.stdout, indent=1)
        print()
        return 0
    for family, members in facts.items():
        print(family)
        for name, fact in members.items():
            print(textwrap.fill(f"  {name:<24}{fact['purpose']}", width=118, subsequent_indent=" " * 26))
            if arguments.family:
                for key, argument in fact["arguments"].items():
                    print(f"      {key}: {argument['type']} = {json.dumps(argument['default'])}")
    return 0


def _facts(family: str, cls: type) -> dict[str, Any]:
    about = inspect.getdoc(sys.modules[cls.__module__]) or ""  # a variant's file opens with what it is
    return {
        "class_path": f"{FAMILIES[family].package}.{cls.__name__}",
        "purpose": " ".join(about.split("\n\n")[0].split()),
        "arguments": _arguments(family, cls),
    }


def _arguments(family: str, cls: type) -> dict[str, Any]:
    given = _given_by_the_model(family)
    return {
        name: {
            "type": spoken(key.annotation),
            "default": None if key.default is inspect.Parameter.empty else plain(key.default),
        }
        for name, key in keys_of(cls, given).items()
    }


def _given_by_the_model(family: str) -> frozenset[str]:
    module, factory = importlib.import_module(FAMILIES[family].base_module), FAMILIES[family].factory
    slot = slot_of(getattr(module, factory)) if factory else None
    return slot.given if slot else frozenset()
