"""ScriptShare beside a count letter by letter."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
import regex
from filter_doubles import texts
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.data.filters import Dropped, ScriptShare

SCRIPTS = st.sampled_from(["Latin", "Cyrillic", "Han", "Thai", "greek", "Arab"])
SHARES = st.sampled_from([0.0, 0.25, 0.5, 0.8, 0.9, 1.0])


@settings(deadline=None, max_examples=300)
@given(texts | st.text(st.characters(exclude_categories=["Cs"]), min_size=1), SCRIPTS, SHARES)
def test_the_share_is_counted_letter_by_letter(text: str, script: str, at_least: float) -> None:
    letters = [c for c in text if regex.fullmatch(r"\p{L}", c)]
    of_script = [c for c in letters if regex.fullmatch(rf"\p{{Script={script}}}", c)]
    if not letters:
        expected: str | Dropped = Dropped("no letters")
    else:
        enough = Fraction(len(of_script), len(letters)) >= Fraction(str(at_least))
        expected = text if enough else Dropped("script")
    assert ScriptShare(script=script, at_least=at_least).apply(text) == expected


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("The quick brown fox, naïve and 42 times über.", "Latin"),
        ("Съешь же ещё этих мягких булок", "Cyrillic"),
        ("Ξεσκεπάζω την ψυχοφθόρα βδελυγμία", "Greek"),
        ("敏捷的棕色狐狸跳过懒狗", "Han"),
        ("키스의 고유조건은", "Hangul"),
        ("เป็นมนุษย์สุดประเสริฐ", "Thai"),
        ("सभी मनुष्यों को गौरव", "Devanagari"),
    ],
)
def test_sentences_are_of_their_script_alone(text: str, script: str) -> None:
    assert ScriptShare(script=script, at_least=1.0).apply(text) == text
    other = "Cyrillic" if script == "Latin" else "Latin"
    assert ScriptShare(script=other, at_least=0.01).apply(text) == Dropped("script")


def test_nine_letters_of_ten_are_enough() -> None:
    assert ScriptShare().apply("abcdefghi 123 я") == "abcdefghi 123 я"
    assert ScriptShare().apply("abcdefgh 123 я") == Dropped("script")


def test_options_that_are_refused() -> None:
    message = "unknown script 'Lattin': expected a script of Unicode; did you mean 'Latin'?"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ScriptShare(script="Lattin")
    for name in ("", "Latin}|[^", "Latin}x"):
        with pytest.raises(ValueError, match=r"^unknown script "):
            ScriptShare(script=name)
    with pytest.raises(ValueError, match=r"^at_least=90 must be from 0 to 1$"):
        ScriptShare(at_least=90)
