"""A user's mistake in a recipe: one line each, with the nearest right word."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake: which key, and what is wrong with it."""

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}" if self.key else self.message


class RecipeError(ValueError):
    """All mistakes of a recipe (or of all variants of an ablation) at once; `str` gives one line for each."""

    def __init__(self, problems: Iterable[Problem | str], where: str = ""):
        prefix = f"{where}: " if where else ""
        self.lines = [prefix + " ".join(str(p).split()) for p in problems]
        super().__init__("\n".join(self.lines))
