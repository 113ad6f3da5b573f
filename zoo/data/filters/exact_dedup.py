"""The first of equal documents.

Compared by BLAKE2b digests of 16 bytes: among a billion documents the chance that two different ones share a digest is
below 2^-69, so equal digests are taken for equal texts. Source of the practice: Lee et al. 2021, "Deduplicating
Training Data Makes Language Models Better", arXiv 2107.06499, which goes on to substrings and near duplicates.
"""

from __future__ import annotations

import hashlib

from zoo.data.filters.base import Dropped, Filter, Verdict

DIGEST_BYTES = 16


class ExactDedup(Filter):
    """Drops a document that came before. Remembers a digest of 16 bytes per document kept, 75 to 160 bytes in Python's
    memory.

    Args:
        normalise: compare in lower case, with white space of any length as one blank; what is kept stays as it is.
    """

    rules = ("duplicate",)

    def __init__(self, *, normalise: bool = False):
        self.normalise = normalise
        self.start()

    def start(self) -> None:
        self._seen: set[bytes] = set()

    def apply(self, text: str) -> Verdict:
        compared = " ".join(text.lower().split()) if self.normalise else text
        digest = hashlib.blake2b(compared.encode(), digest_size=DIGEST_BYTES).digest()
        if digest in self._seen:
            return Dropped("duplicate")
        self._seen.add(digest)
        return text
