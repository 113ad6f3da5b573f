"""The first of near-duplicate documents: MinHash signatures, found by bands.

Source: Broder 1997, "On the Resemblance and Containment of Documents" (MinHash); Indyk & Motwani 1998 (locality
sensitive hashing); Lee et al. 2021, "Deduplicating Training Data Makes Language Models Better", arXiv 2107.06499,
appendix A, which takes shingles of 5 words and a similarity of 0.8 and drops what is alike.

    J(A, B) = |A ∩ B| / |A ∪ B| of the shingles of two documents
            = P(min h(A) = min h(B)) for a random h, estimated by the share of num_hashes functions that agree.

Documents meet if they agree in all `rows` functions of one of the bands, which two of similarity s do with probability
1 - (1 - s^rows)^bands. `rows` is the largest number by which documents at the threshold meet with a
probability of at least 0.95: at the defaults 7, in 18 bands, 0.986. What meets is then held to the estimate, whose
standard deviation is sqrt(J (1 - J) / num_hashes): 0.035 at the defaults.
"""

from __future__ import annotations

import math

import numpy as np

from zoo.data.filters.base import Dropped, Filter, Verdict

RECALL = 0.95  # of the bands, at the threshold


class MinHashDedup(Filter):
    r"""Drops a document whose estimated similarity with one that was kept reaches the threshold.

    Words are runs of `\w` in lower case, and each letter of a script that puts no spaces between words (Chinese,
    Japanese, Thai, ...). A document of fewer words than a shingle is one shingle. Remembers of each document kept its
    signature and its bands: at the defaults 1 to 2 kB.

    Args:
        threshold: similarity from which two documents are duplicates, above 0 and at most 1.
        shingle_words: consecutive words of a shingle.
        num_hashes: functions of a signature.
        seed: of the functions.

    Raises:
        ValueError: the threshold is no similarity, or no number of rows finds documents at it often enough.
    """

    rules = ("near duplicate",)

    def __init__(self, *, threshold: float = 0.8, shingle_words: int = 5, num_hashes: int = 128, seed: int = 0):
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold={threshold:g} must be above 0 and at most 1")
        for name, value in (("shingle_words", shingle_words), ("num_hashes", num_hashes)):
            if value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        self.threshold, self.shingle_words, self.num_hashes, self.seed = threshold, shingle_words, num_hashes, seed
        self.rows = rows_for(threshold, num_hashes)
        self.start()

    def start(self) -> None:
        from zoo.data.filters._minhash import Index, hash_functions  # numba: only who filters waits for its import

        least_equal = math.ceil(self.threshold * self.num_hashes - 1e-9)  # 0.07 * 100 is 7.000000000000001
        self._index = Index(self.num_hashes, self.rows, least_equal)
        self._functions = hash_functions(self.num_hashes, self.seed)

    def apply(self, text: str) -> Verdict:
        from zoo.data.filters._minhash import kinds, signature_of, word_hashes

        code_points = np.frombuffer(text.lower().encode("utf-32-le"), dtype="<u4")
        words = word_hashes(code_points, kinds())
        signature = signature_of(words, self.shingle_words, *self._functions)
        return text if self._index.add(signature) else Dropped("near duplicate")


def rows_for(threshold: float, num_hashes: int) -> int:
    """Functions of a band: as many (so that few documents are compared in vain) as let two documents at the threshold
    share a band with a probability of RECALL.

    Raises:
        ValueError: there are too few functions for that.
    """
    for rows in range(num_hashes, 0, -1):
        if 1 - (1 - threshold**rows) ** (num_hashes // rows) >= RECALL:
            return rows
    raise ValueError(
        f"num_hashes={num_hashes} are too few to find documents of similarity threshold={threshold:g}: give more"
    )
