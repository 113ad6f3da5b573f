"""One pass of documents through filters, and the count of what each rule removed."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from zoo.data.filters.base import Changed, Dropped, Filter
from zoo.wording import listing, nearest


@dataclass
class Removed:
    """What one rule of one filter removed.

    Attributes:
        filter, rule: their names; the second filter of a class is `Name (2)`.
        dropped, changed: documents.
        num_bytes: in UTF-8, of documents dropped and of pieces cut out.
        examples: the first documents and pieces, whole.
    """

    filter: str
    rule: str
    dropped: int = 0
    changed: int = 0
    num_bytes: int = 0
    examples: list[str] = field(default_factory=list)


class Sieve:
    """Filters in their order, from their start. Works on copies: two passes side by side see nothing of each other.

    Args:
        filters: of a recipe.
        max_examples: to keep of each rule.

    Attributes:
        num_documents, num_bytes: that came.
        kept_documents, kept_bytes: that went on.
        removed: of every rule of every filter, in order.
    """

    def __init__(self, filters: Sequence[Filter], max_examples: int = 0):
        self._max_examples = max_examples
        self.num_documents = self.num_bytes = self.kept_documents = self.kept_bytes = 0
        self.removed: list[Removed] = []
        self._steps: list[tuple[str, Filter, dict[str, Removed]]] = []
        times: Counter[str] = Counter()
        for given in filters:
            own, name = copy.deepcopy(given), type(given).__name__
            own.start()
            times[name] += 1
            label = name if times[name] == 1 else f"{name} ({times[name]})"
            rules = {rule: Removed(label, rule) for rule in own.rules}
            self._steps.append((label, own, rules))
            self.removed += rules.values()

    def apply(self, text: str) -> str | None:
        """What is left of the next document, or None.

        Raises:
            ValueError: a filter does not do as `Filter` says, or UTF-8 cannot encode the document.
        """
        self.num_documents += 1
        try:
            self.num_bytes += len(text.encode())
        except UnicodeEncodeError as error:
            raise ValueError(f"document {self.num_documents} cannot be written as UTF-8: {error}") from error
        for label, own, rules in self._steps:
            verdict = own.apply(text)
            if isinstance(verdict, Dropped):
                removed = _find(rules, verdict.rule, label)
                removed.dropped += 1
                self._count(removed, [text])
                return None
            if isinstance(verdict, Changed):
                if not verdict.text or not verdict.removed:
                    what = "a rule" if verdict.text else "a text: where nothing is left, return Dropped(rule)"
                    raise ValueError(f"{label} changed a document without {what}")
                for rule, pieces in verdict.removed.items():
                    removed = _find(rules, rule, label)
                    removed.changed += 1
                    self._count(removed, pieces)
                text = verdict.text
            elif verdict != text:
                came = "another text" if isinstance(verdict, str) else repr(verdict)
                raise ValueError(f"{label}: apply gave {came}: expected the document itself, Changed or Dropped")
        self.kept_documents += 1
        self.kept_bytes += len(text.encode())
        return text

    def _count(self, removed: Removed, pieces: Sequence[str]) -> None:
        removed.num_bytes += sum(len(piece.encode()) for piece in pieces)
        missing = self._max_examples - len(removed.examples)
        removed.examples += pieces[:missing]


def _find(rules: dict[str, Removed], rule: str, label: str) -> Removed:
    if rule not in rules:
        raise ValueError(f"{label} gave the reason {rule!r}{nearest(rule, rules)} Its rules: {listing(rules)}")
    return rules[rule]
