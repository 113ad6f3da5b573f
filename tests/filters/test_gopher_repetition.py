"""GopherRepetition beside Table A1 computed with lists and masks."""

from __future__ import annotations

import inspect
import random
import re
from collections import Counter

import pytest
from filter_doubles import texts
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.filters import Dropped, GopherRepetition
from zoo.data.filters.gopher_repetition import shares


def test_the_thresholds_are_those_of_table_a1() -> None:
    defaults = {name: p.default for name, p in inspect.signature(GopherRepetition).parameters.items()}
    assert defaults == {
        "max_duplicate_lines": 0.30,
        "max_duplicate_line_characters": 0.20,
        "max_duplicate_paragraphs": 0.30,
        "max_duplicate_paragraph_characters": 0.20,
        "max_top_ngram_characters": (0.20, 0.18, 0.16),
        "max_duplicate_ngram_characters": (0.15, 0.14, 0.13, 0.12, 0.11, 0.10),
    }


def reference(text: str) -> list[float]:
    """The thirteen fractions, by their definitions."""
    found = []
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    paragraphs = [piece.strip() for piece in re.split(r"\n\s*\n", text) if piece.strip()]
    for pieces in (lines, paragraphs):
        repeats = [piece for i, piece in enumerate(pieces) if piece in pieces[:i]]
        found += [len(repeats) / len(pieces), len("".join(repeats)) / len("".join(pieces))]
    words = text.split()
    for n in range(2, 11):
        grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        if n <= 4:
            top, times = Counter(grams).most_common(1)[0] if grams else ((), 0)  # the first of those equally frequent
            places = [i for i, gram in enumerate(grams) if gram == top and times > 1]
        else:
            places = [i for i, gram in enumerate(grams) if gram in grams[:i]]
        covered = {word for i in places for word in range(i, i + n)}
        found.append(sum(len(words[i]) for i in covered) / sum(map(len, words)))
    return found


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "bb", "ccc", "dd.", "\n", "\n\n", "é"]), min_size=1, max_size=60).map(" ".join)
    | texts
)
def test_every_fraction_is_the_references(text: str) -> None:
    assert list(shares(text)) == (reference(text) if text.split() else [])


def test_long_documents_too() -> None:
    draw = random.Random(0)
    words = [f"w{draw.randint(0, 60)}" for _ in range(1500)]
    words[700:760] = words[100:160]
    assert list(shares(" ".join(words))) == reference(" ".join(words))


def distinct(number: int) -> list[str]:
    return [f"{i:05}" for i in range(number)]


def repeated_end(separator: str, number: int) -> str:
    """100 pieces of 5 characters, of which the last `number` stood before."""
    return separator.join(distinct(100 - number) + distinct(number))


def scattered(gram: str, times: int) -> str:
    """100 words of 5 characters, among them an n-gram `times` times."""
    words = distinct(100 - times * len(gram.split()))
    return " ".join([f"{gram} {words[i]}" for i in range(times)] + words[times:])


EDGES: dict[str, tuple[str, str]] = {
    "duplicate lines": (repeated_end("\n", 30), repeated_end("\n", 31)),
    "duplicate line characters": (repeated_end("\n", 20), repeated_end("\n", 21)),
    "duplicate paragraphs": (repeated_end("\n\n", 30), repeated_end("\n\n", 31)),
    "duplicate paragraph characters": (repeated_end("\n\n", 20), repeated_end("\n\n", 21)),
    "top 2-gram": (scattered("aaaaa bbbbb", 10), scattered("aaaaa bbbbb", 11)),
    "top 3-gram": (scattered("aaaaa bbbbb ccccc", 6), scattered("aaaaa bbbbb ccccc", 7)),
    "top 4-gram": (scattered("aaaaa bbbbb ccccc ddddd", 4), scattered("aaaaa bbbbb ccccc ddddd", 5)),
} | {f"duplicate {n}-grams": (repeated_end(" ", 20 - n), repeated_end(" ", 21 - n)) for n in range(5, 11)}


@pytest.mark.parametrize("rule", GopherRepetition.rules)
def test_each_threshold_from_both_sides(rule: str) -> None:
    one = GopherRepetition()
    one.thresholds = dict.fromkeys(one.rules, 1.0) | {rule: one.thresholds[rule]}
    good, bad = EDGES[rule]
    assert one.apply(good) == good
    assert one.apply(bad) == Dropped(rule)


def test_a_line_of_its_own_for_each_kind_of_repetition() -> None:
    one = GopherRepetition()
    assert one.apply(" ".join(distinct(200))) == " ".join(distinct(200))
    assert one.apply("\n".join(50 * ["all work and no play"])) == Dropped("duplicate lines")
    prose = " ".join(distinct(60))
    assert one.apply(f"{prose}\n\nthis paragraph\n\n{prose} x\n\nthis paragraph") == Dropped("duplicate 5-grams")
    assert one.apply(" ".join(f"{word} over and" for word in distinct(30))) == Dropped("top 2-gram")


def test_a_million_words_are_no_square() -> None:
    """By comparing every n-gram with every other this would take days; the worst case is one word repeated."""
    assert GopherRepetition().apply(" ".join(1_000_000 * ["a"])) == Dropped("top 2-gram")
    text = " ".join(map(str, range(1_000_000)))
    assert GopherRepetition().apply(text) == text


def test_options_that_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^max_top_ngram_characters=\[0\.2\]: expected 3 shares, for n = 2\.\.4$"):
        GopherRepetition(max_top_ngram_characters=(0.2,))  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=r"^max_duplicate_ngram_characters=\[0\.2\]: expected 6 shares, for n = 5\.\.10$"
    ):
        GopherRepetition(max_duplicate_ngram_characters=(0.2,))  # type: ignore[arg-type]
