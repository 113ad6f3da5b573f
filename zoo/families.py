"""The families of interchangeable parts, and what each holds: read from the packages themselves, never from a list."""

from __future__ import annotations

import importlib
import inspect
from functools import cache

# family: (module of its base, name of the abstract class, name of the factory protocol or None for a plain value)
FAMILIES: dict[str, tuple[str, str, str | None]] = {
    "tokenizers": ("zoo.tokenizers.base", "Tokenizer", None),
    "positions": ("zoo.positions.base", "Position", "PositionFactory"),
    "attention": ("zoo.attention.base", "Attention", "AttentionFactory"),
    "ffns": ("zoo.ffns.base", "Ffn", "FfnFactory"),
    "norms": ("zoo.norms.base", "Norm", "NormFactory"),
    "blocks": ("zoo.blocks.base", "Block", "BlockFactory"),
    "heads": ("zoo.heads.base", "Head", "HeadFactory"),
    "inits": ("zoo.inits.base", "Init", None),
    "optimizers": ("zoo.optimizers.base", "Optimizer", "OptimizerFactory"),
    "schedules": ("zoo.schedules.base", "Schedule", None),
    "precision": ("zoo.precision.base", "Precision", None),
    "data": ("zoo.data.corpora.base", "Corpus", None),
}


def base_class(family: str) -> type:
    """The abstract class that every variant of a family extends."""
    module, name, _ = FAMILIES[family]
    return getattr(importlib.import_module(module), name)


@cache
def variants(family: str) -> dict[str, type]:
    """Final classes of a family by their name, in the order of its `__init__.py`."""
    package, base = importlib.import_module(f"zoo.{family}"), base_class(family)
    public = {name: getattr(package, name) for name in package.__all__}
    return {
        name: value
        for name, value in public.items()
        if inspect.isclass(value) and issubclass(value, base) and not inspect.isabstract(value)
    }
