"""Documents that do not repeat themselves: lines, paragraphs and n-grams of words.

Source: Rae et al. 2021, "Scaling Language Models: Methods, Analysis & Insights from Training Gopher", arXiv 2112.11446,
appendix A.1.1, "Repetition Removal", Table A1. A document goes if one of these fractions of it is over its threshold:

    duplicate lines 0.30, their characters 0.20       duplicate paragraphs 0.30, their characters 0.20
    characters in the most frequent n-gram            n = 2: 0.20, 3: 0.18, 4: 0.16
    characters in duplicate n-grams                   n = 5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10

Where the paper is silent: a duplicate is what stood before, so of two equal lines one is a duplicate; the most frequent
n-gram counts where it stands at least twice, the first of those equally frequent; lines and paragraphs are those that
are not blank, without the white space around them; words stand between white space; characters are those of the lines
(paragraphs, words) themselves, no white space between them. "Taking care not to count characters that occur in
overlapping n-grams more than once" (the paper, of duplicate n-grams) holds here for the most frequent one too.
"""

from __future__ import annotations

from collections.abc import Iterator

from zoo.data.filters._text import lines_of, paragraphs_of
from zoo.data.filters.base import Dropped, Filter, Verdict

TOP_SIZES, DUPLICATE_SIZES = (2, 3, 4), (5, 6, 7, 8, 9, 10)


class GopherRepetition(Filter):
    """Rules on what a document repeats; the first that it fails drops it. Remembers nothing.

    Args:
        max_duplicate_lines, max_duplicate_line_characters: share of its lines, and of their characters.
        max_duplicate_paragraphs, max_duplicate_paragraph_characters: likewise.
        max_top_ngram_characters: share of the characters of its words, for n = 2, 3, 4.
        max_duplicate_ngram_characters: likewise, for n = 5 to 10.

    Raises:
        ValueError: there is not one threshold for each n.
    """

    rules = (
        "duplicate lines",
        "duplicate line characters",
        "duplicate paragraphs",
        "duplicate paragraph characters",
        *(f"top {n}-gram" for n in TOP_SIZES),
        *(f"duplicate {n}-grams" for n in DUPLICATE_SIZES),
    )

    def __init__(
        self,
        *,
        max_duplicate_lines: float = 0.30,
        max_duplicate_line_characters: float = 0.20,
        max_duplicate_paragraphs: float = 0.30,
        max_duplicate_paragraph_characters: float = 0.20,
        max_top_ngram_characters: tuple[float, float, float] = (0.20, 0.18, 0.16),
        max_duplicate_ngram_characters: tuple[float, float, float, float, float, float] = (
            *(0.15, 0.14, 0.13),
            *(0.12, 0.11, 0.10),
        ),
    ):
        for name, values, sizes in (
            ("max_top_ngram_characters", max_top_ngram_characters, TOP_SIZES),
            ("max_duplicate_ngram_characters", max_duplicate_ngram_characters, DUPLICATE_SIZES),
        ):
            if len(values) != len(sizes):
                raise ValueError(
                    f"{name}={list(values)}: expected {len(sizes)} shares, for n = {sizes[0]}..{sizes[-1]}"
                )
        thresholds = (
            *(max_duplicate_lines, max_duplicate_line_characters),
            *(max_duplicate_paragraphs, max_duplicate_paragraph_characters),
            *(*max_top_ngram_characters, *max_duplicate_ngram_characters),
        )
        self.thresholds = dict(zip(self.rules, thresholds, strict=True))

    def apply(self, text: str) -> Verdict:
        for rule, share in zip(self.rules, shares(text), strict=False):  # measured one after another, as far as needed
            if share > self.thresholds[rule]:
                return Dropped(rule)
        return text


def shares(text: str) -> Iterator[float]:
    """The fractions of Table A1, in the order of `GopherRepetition.rules`; none for a document without words."""
    words = text.split()
    if not words:
        return
    for pieces in (lines_of(text), paragraphs_of(text)):
        unique = set(pieces)
        if len(unique) == len(pieces):  # nothing stands twice
            yield from (0.0, 0.0)
            continue
        num_chars = sum(map(len, pieces))
        yield (len(pieces) - len(unique)) / len(pieces)
        yield (num_chars - sum(map(len, unique))) / num_chars
    from zoo.data.filters._ngrams import ngram_chars  # numba: only who filters waits for its import

    num_chars = sum(map(len, words))
    top, duplicate = ngram_chars(words, TOP_SIZES, DUPLICATE_SIZES)
    yield from (chars / num_chars for chars in (*top, *duplicate))
