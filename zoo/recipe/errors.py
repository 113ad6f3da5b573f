"""A user's mistake in a recipe: one line each, with the nearest right word."""

from __future__ import annotations

import difflib
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


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no known word is near."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if not close:  # a difference of case alone is still the same word
        close = [name for name in names if name.lower() == word.lower()]
    return f"; did you mean {close[0]!r}?" if close else ""


def listing(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
