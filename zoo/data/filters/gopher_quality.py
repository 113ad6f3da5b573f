"""Documents that read as prose: eight rules of thumb on words and lines.

Source: Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", arXiv 2112.11446,
appendix A.1.1, "Quality Filtering". A document stays if it has

    50 to 100,000 words, of 3 to 10 characters on average,
    at most 0.1 hash symbols per word, and at most 0.1 ellipses per word,
    at most 90 % of lines that begin with a bullet point, and at most 30 % that end with an ellipsis,
    an alphabetic character in at least 80 % of words,
    at least two of: the, be, to, of, and, that, have, with.

Where the paper is silent: words stand between white space; lines are those that are not blank; an ellipsis is "..." or
U+2026; two different stop words are asked for, whatever their case and the punctuation beside them. The rules are made
for English prose: program text, lists and other languages fail them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from zoo.data.filters._text import lines_of
from zoo.data.filters.base import Dropped, Filter, Verdict

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
BULLETS = ("•", "‣", "◦", "▪", "●", "-", "*")
ELLIPSES = ("...", "…")


class GopherQuality(Filter):
    """Rules on the words and lines of a document; the first that it fails drops it. Remembers nothing.

    Args:
        min_words, max_words: number of words.
        min_mean_word_length, max_mean_word_length: characters.
        max_symbols_per_word: of hash symbols, and of ellipses.
        max_bullet_lines: share of lines that begin with one of BULLETS.
        max_ellipsis_lines: share of lines.
        min_alphabetic_words: share of words.
        min_stop_words: different ones of `stop_words`.
        stop_words: lower case.

    Raises:
        ValueError: a lower bound is above its upper one, a stop word is not in lower case, or more are asked for than
            there are.
    """

    rules = (
        "number of words",
        "mean word length",
        "hash symbols",
        "ellipses",
        "bullet lines",
        "ellipsis lines",
        "alphabetic words",
        "stop words",
    )

    def __init__(
        self,
        *,
        min_words: int = 50,
        max_words: int = 100_000,
        min_mean_word_length: float = 3.0,
        max_mean_word_length: float = 10.0,
        max_symbols_per_word: float = 0.1,
        max_bullet_lines: float = 0.9,
        max_ellipsis_lines: float = 0.3,
        min_alphabetic_words: float = 0.8,
        min_stop_words: int = 2,
        stop_words: Sequence[str] = STOP_WORDS,
    ):
        if min_words > max_words:
            raise ValueError(f"min_words={min_words} must not be over max_words={max_words}")
        if min_mean_word_length > max_mean_word_length:
            raise ValueError(
                f"min_mean_word_length={min_mean_word_length:g} must not be over "
                f"max_mean_word_length={max_mean_word_length:g}"
            )
        if wrong := [word for word in stop_words if word != word.lower()]:
            raise ValueError(f"stop_words: {wrong[0]!r} must be in lower case")
        if min_stop_words > len(set(stop_words)):
            raise ValueError(f"min_stop_words={min_stop_words} must not be over the {len(set(stop_words))} stop words")
        self.min_words, self.max_words = min_words, max_words
        self.min_mean_word_length, self.max_mean_word_length = min_mean_word_length, max_mean_word_length
        self.max_symbols_per_word = max_symbols_per_word
        self.max_bullet_lines, self.max_ellipsis_lines = max_bullet_lines, max_ellipsis_lines
        self.min_alphabetic_words, self.min_stop_words = min_alphabetic_words, min_stop_words
        self._stop_word = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, stop_words))})(?!\w)")

    def apply(self, text: str) -> Verdict:
        words = text.split()
        num_words = len(words)
        if not self.min_words <= num_words <= self.max_words:
            return Dropped("number of words")
        if num_words == 0:
            return text  # only where min_words=0: nothing to measure
        if not self.min_mean_word_length <= sum(map(len, words)) / num_words <= self.max_mean_word_length:
            return Dropped("mean word length")
        if text.count("#") / num_words > self.max_symbols_per_word:
            return Dropped("hash symbols")
        if sum(map(text.count, ELLIPSES)) / num_words > self.max_symbols_per_word:
            return Dropped("ellipses")
        lines = lines_of(text)
        if sum(line.startswith(BULLETS) for line in lines) / len(lines) > self.max_bullet_lines:
            return Dropped("bullet lines")
        if sum(line.endswith(ELLIPSES) for line in lines) / len(lines) > self.max_ellipsis_lines:
            return Dropped("ellipsis lines")
        without_letters = sum(1 for word in words if not word.isalpha() and not any(map(str.isalpha, word)))
        if (num_words - without_letters) / num_words < self.min_alphabetic_words:
            return Dropped("alphabetic words")
        return text if self._has_stop_words(text) else Dropped("stop words")

    def _has_stop_words(self, text: str) -> bool:
        if self.min_stop_words == 0:
            return True
        found: set[str] = set()
        for match in self._stop_word.finditer(text.lower()):
            found.add(match.group())
            if len(found) >= self.min_stop_words:  # prose has them in its first line
                return True
        return False
