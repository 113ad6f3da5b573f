"""The families of interchangeable parts, and what each holds: read from the packages themselves, never from a list."""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from typing import NamedTuple


class Family(NamedTuple):
    """Where a family is found.

    Attributes:
        package: whose `__all__` lists the variants; recipes name them by it: `zoo.attention.FullAttention`.
        base_module: holds the abstract class, and the factory protocol.
        base: name of the abstract class.
        factory: name of the protocol of what builds a variant; None: a recipe builds it whole.
    """

    package: str
    base_module: str
    base: str
    factory: str | None


FAMILIES: dict[str, Family] = {
    "tokenizers": Family("zoo.tokenizers", "zoo.tokenizers.base", "Tokenizer", None),
    "positions": Family("zoo.positions", "zoo.positions.base", "Position", "PositionFactory"),
    "attention": Family("zoo.attention", "zoo.attention.base", "Attention", "AttentionFactory"),
    "ffns": Family("zoo.ffns", "zoo.ffns.base", "Ffn", "FfnFactory"),
    "norms": Family("zoo.norms", "zoo.norms.base", "Norm", "NormFactory"),
    "blocks": Family("zoo.blocks", "zoo.blocks.base", "Block", "BlockFactory"),
    "heads": Family("zoo.heads", "zoo.heads.base", "Head", "HeadFactory"),
    "inits": Family("zoo.inits", "zoo.inits.base", "Init", None),
    "optimizers": Family("zoo.optimizers", "zoo.optimizers.base", "Optimizer", "OptimizerFactory"),
    "schedules": Family("zoo.schedules", "zoo.schedules.base", "Schedule", None),
    "precision": Family("zoo.precision", "zoo.precision.base", "Precision", None),
    "data": Family("zoo.data", "zoo.data.corpora.base", "Corpus", None),
    "filters": Family("zoo.data.filters", "zoo.data.filters.base", "Filter", None),
}


def base_class(family: str) -> type:
    """The abstract class that every variant of a family extends."""
    return getattr(importlib.import_module(FAMILIES[family].base_module), FAMILIES[family].base)


@cache
def variants(family: str) -> dict[str, type]:
    """Final classes of a family by their name, in the order of its `__init__.py`."""
    package, base = importlib.import_module(FAMILIES[family].package), base_class(family)
    public = {name: getattr(package, name) for name in package.__all__}
    return {
        name: value
        for name, value in public.items()
        if inspect.isclass(value) and issubclass(value, base) and not inspect.isabstract(value)
    }
