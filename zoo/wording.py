"""Words for error messages: the nearest right word, and what there is to choose from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: object, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing where no known word is near. Case alone makes no other word."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(str(word).lower(), list(names), n=1, cutoff=0.5)
    return f"; did you mean {names[close[0]]!r}?" if close else ""


def listing(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
