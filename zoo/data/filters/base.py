"""What stands between a corpus and its token store: a filter keeps, changes or drops one document at a time.

class NoTables(Filter):
    rules = ("tables",)

    def __init__(self, *, max_share: float = 0.5):
        self.max_share = max_share

    def apply(self, text: str) -> Verdict:
        return Dropped("tables") if text.count("|") > self.max_share * len(text) else text
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self


@dataclass(frozen=True, slots=True)
class Dropped:
    """The document goes, by this rule."""

    rule: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The document goes on as `text`, without `removed`: by rule, the pieces of it that went."""

    text: str
    removed: Mapping[str, Sequence[str]]


Verdict = str | Changed | Dropped  # a str is the document itself, kept as it is


class Filter(ABC):
    """Decides about documents in the order they come. Deterministic: the same documents after `start()` get the same
    verdicts, in any process.

    What it remembers of earlier documents must stay small beside them; its docstring says how much it is. Counting and
    examples are the caller's business. Options are constructor arguments of JSON values (numbers, text, lists,
    mappings): with the class, and its source file where it is none of zoo's, they name the token store.

    Attributes:
        rules: the names that its verdicts give as reasons.
        options: the constructor's arguments, defaults included.
    """

    rules: ClassVar[tuple[str, ...]]
    options: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        self.options = {}
        if cls.__init__ is not object.__init__:
            bound = inspect.signature(cls.__init__).bind_partial(self, *args, **kwargs)
            bound.apply_defaults()
            self.options = dict(list(bound.arguments.items())[1:])
        return self

    @abstractmethod
    def apply(self, text: str) -> Verdict:
        """The document itself, `Changed(text, removed)`, or `Dropped(rule)` where nothing would be left of it."""

    def start(self) -> None:  # noqa: B027, most filters remember nothing
        """Forget the documents of an earlier pass: another one begins."""
