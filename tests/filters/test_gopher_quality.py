"""GopherQuality beside the words of the paper, written out once more, and a document on each side of each threshold."""

from __future__ import annotations

import inspect
import re
import unicodedata
from fractions import Fraction

import pytest
from filter_doubles import texts
from hypothesis import given, settings

from zoo.data.filters import Dropped, GopherQuality

FILLER = "the cat and dog "  # 4 words of 3 letters, two stop words


def of_words(number: int) -> str:
    return " ".join((FILLER * number).split()[:number])


def test_the_thresholds_are_those_of_the_paper() -> None:
    defaults = {name: p.default for name, p in inspect.signature(GopherQuality).parameters.items()}
    assert (defaults["min_words"], defaults["max_words"]) == (50, 100_000)
    assert (defaults["min_mean_word_length"], defaults["max_mean_word_length"]) == (3, 10)
    assert (defaults["max_symbols_per_word"], defaults["max_bullet_lines"]) == (0.1, 0.9)
    assert (defaults["max_ellipsis_lines"], defaults["min_alphabetic_words"]) == (0.3, 0.8)
    assert defaults["min_stop_words"] == 2
    assert set(defaults["stop_words"]) == {"the", "be", "to", "of", "and", "that", "have", "with"}


EDGES: list[tuple[str, str, str]] = [
    ("number of words", of_words(50), of_words(49)),
    ("number of words", of_words(100_000), of_words(100_001)),
    ("mean word length", of_words(50), of_words(49) + " ox"),
    ("mean word length", *(f"the and {(50 - n) * 'abcdefghij '}{n * 'abcdefghijk '}" for n in (14, 15))),
    ("hash symbols", *(of_words(100 - n) + n * " abc#" for n in (10, 11))),
    ("ellipses", *(of_words(99 - n) + n * " abc..." + " end" for n in (10, 11))),
    ("ellipses", *(of_words(99 - n) + n * " abc…" + " end" for n in (10, 11))),
    ("bullet lines", 9 * "- the house and mouse sat\n" + "the end", 10 * "• the house and mouse sat\n" + "the end"),
    (
        "ellipsis lines",
        3 * f"{of_words(11)}...\n" + 7 * f"{of_words(11)}\n",
        4 * f"{of_words(13)}…\n" + 6 * "the end\n",
    ),
    ("alphabetic words", of_words(80) + 20 * " 1234", of_words(79) + 21 * " 1234"),
    ("stop words", 50 * "cat " + "the and", 50 * "cat " + "the the"),
]


@pytest.mark.parametrize(("rule", "good", "bad"), EDGES, ids=[f"{i}-{edge[0]}" for i, edge in enumerate(EDGES)])
def test_each_threshold_from_both_sides(rule: str, good: str, bad: str) -> None:
    one = GopherQuality()
    assert one.apply(good) == good
    assert one.apply(bad) == Dropped(rule)


def test_stop_words_count_in_any_case_beside_punctuation_but_not_within_words() -> None:
    one = GopherQuality(min_words=1, min_mean_word_length=1)
    assert one.apply('"The cat, AND."') == '"The cat, AND."'
    assert one.apply("other sandy beads, tofu.") == Dropped("stop words")


def faults(text: str, least: int) -> set[str]:
    """Every rule that a document fails, by the sentences of the paper."""
    words = text.split()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = set()
    if not least <= len(words) <= 100_000:
        return {"number of words"}
    mean = Fraction(sum(len(word) for word in words), len(words))
    if mean < 3 or mean > 10:
        found.add("mean word length")
    if Fraction(sum(c == "#" for c in text), len(words)) > Fraction(1, 10):
        found.add("hash symbols")
    if Fraction(len(re.findall(r"\.\.\.|…", text)), len(words)) > Fraction(1, 10):
        found.add("ellipses")
    if Fraction(sum(line[0] in "•‣◦▪●-*" for line in lines), len(lines)) > Fraction(9, 10):
        found.add("bullet lines")
    if Fraction(sum(re.search(r"(\.\.\.|…)$", line) is not None for line in lines), len(lines)) > Fraction(3, 10):
        found.add("ellipsis lines")
    with_letters = sum(any(unicodedata.category(c).startswith("L") for c in word) for word in words)
    if Fraction(with_letters, len(words)) < Fraction(8, 10):
        found.add("alphabetic words")
    stop_words = {"the", "be", "to", "of", "and", "that", "have", "with"}
    if len(stop_words & set(re.split(r"\W+", text.lower()))) < 2:
        found.add("stop words")
    return found


@settings(max_examples=500, deadline=None)
@given(texts)
def test_the_verdict_is_the_papers(text: str) -> None:
    expected = faults(text, least=3)
    verdict = GopherQuality(min_words=3).apply(text)
    if expected:
        assert isinstance(verdict, Dropped) and verdict.rule in expected
    else:
        assert verdict == text


def test_options_that_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^min_words=9 must not be over max_words=8$"):
        GopherQuality(min_words=9, max_words=8)
    with pytest.raises(ValueError, match=r"^min_mean_word_length=5 must not be over max_mean_word_length=4$"):
        GopherQuality(min_mean_word_length=5, max_mean_word_length=4)
    with pytest.raises(ValueError, match=r"^stop_words: 'The' must be in lower case$"):
        GopherQuality(stop_words=["The", "of"])
    with pytest.raises(ValueError, match=r"^min_stop_words=2 must not be over the 1 stop words$"):
        GopherQuality(stop_words=["der", "der"])


def test_without_stop_words_any_language_passes() -> None:
    text = 60 * "слово "
    assert GopherQuality(min_stop_words=0, stop_words=[]).apply(text) == text
    assert GopherQuality().apply(text) == Dropped("stop words")
