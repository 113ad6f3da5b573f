"""A corpus behind filters. In a recipe: `data.filters`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence

from zoo.data.corpora.base import Corpus
from zoo.data.filters._sieve import Removed, Sieve
from zoo.data.filters.base import Filter
from zoo.data.fingerprint import class_key, lasting_options


class FilteredCorpus(Corpus):
    """What filters leave of a corpus. They run in order over all its sources with one memory, so that a duplicate goes
    whichever source it comes from. In one process: what a filter says may depend on every document before.

    Args:
        corpus: any.
        filters: applied in this order.
    """

    def __init__(self, corpus: Corpus, filters: Sequence[Filter]):
        self._corpus, self._filters = corpus, tuple(filters)
        self._last: Sieve | None = None

    def documents(self) -> Iterator[str]:
        for _, text in self.labelled():
            yield text

    def labelled(self) -> Iterator[tuple[str, str]]:
        sieve = Sieve(self._filters)
        for source, text in self._corpus.labelled():
            left = sieve.apply(text)
            if left is not None:
                yield source, left
        self._last = sieve

    def sources(self) -> dict[str, float]:
        return self._corpus.sources()

    def fingerprint(self) -> str:
        """Of the corpus, and of every filter's class and options.

        Raises:
            ValueError: as the corpus; or an option of a filter has no lasting text form, or a filter no source file.
        """
        parts = {
            "corpus": class_key(self._corpus) | {"fingerprint": self._corpus.fingerprint()},
            "filters": [class_key(each) | {"options": lasting_options(each)} for each in self._filters],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def hints(self, key: str = "data.corpus") -> list[str]:
        hints = self._corpus.hints(key)
        if self._last is None or self._last.kept_documents == self._last.num_documents:
            return hints
        dropped: Counter[str] = Counter()
        for removed in self._last.removed:
            dropped[removed.filter] += removed.dropped
        gone, total = self._last.num_documents - self._last.kept_documents, self._last.num_documents
        by = ", ".join(f"{name} {count:,}" for name, count in dropped.items() if count)
        filters = f"the filters removed {gone:,} of {total:,} documents ({by}): `zoo data report` shows which rule did"
        return [filters, *hints]

    def notes(self) -> list[str]:
        notes = self._corpus.notes()
        if self._last is not None:
            notes += [_sentence(removed) for removed in self._last.removed if removed.dropped or removed.changed]
            notes.append(
                f"filters kept {self._last.kept_documents:,} of {self._last.num_documents:,} documents, "
                f"{self._last.kept_bytes:,} of {self._last.num_bytes:,} bytes"
            )
        return notes


def _sentence(removed: Removed) -> str:
    counts = {"dropped": removed.dropped, "changed": removed.changed}
    what = " and ".join(f"{verb} {n:,} {'document' if n == 1 else 'documents'}" for verb, n in counts.items() if n)
    return f"{removed.filter}: {removed.rule}: {what}, {removed.num_bytes:,} bytes removed"
