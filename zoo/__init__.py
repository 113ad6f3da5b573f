"""zoo: interchangeable parts for language models, and an honest answer to which of them is worth its compute.

`load_recipe(path, overrides)` gives a checked recipe, `plan(recipe, ...)` says what it will take, `ablate(path, ...)`
trains an ablation and returns its table.
Importing zoo is quick: nothing heavy loads before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "ablate", "load_recipe", "plan"]

if TYPE_CHECKING:
    from zoo.ablation import ablate as ablate
    from zoo.planning import plan as plan
    from zoo.recipe import load_recipe as load_recipe

_HOMES = {"ablate": "zoo.ablation", "load_recipe": "zoo.recipe", "plan": "zoo.planning"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")
