"""Expressions that are let through, run by both engines; and those that are not."""

from __future__ import annotations

import json
import random
import warnings
from pathlib import Path

import pytest
import tokenizers
from tokenizers import Regex, pre_tokenizers

from tests.interop.interop_cases import SOURCES, ids_of_plain_text, theirs_trained
from zoo.interop import read_huggingface, write_huggingface
from zoo.interop._oniguruma import same_in_oniguruma
from zoo.tokenizers import BPETokenizer
from zoo.tokenizers._pretokens import Pretokens

TEXT = "It's 12345, naïve Übermut:\n\n\tdon't  試験 🙂 x=[1]; "
USED = [
    r"\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+",
    r" ?\p{L}+|\s+|.",
    r"\A\p{L}+|\s+(?=\n?\z)|[^;]",  # what stands for ^ and $
    r" ?\p{Lu}{1,3}\p{Ll}*|\p{N}{1,3}|\S",
    r"(?i)(?:'re|'ll)|\p{L}++| ?[^\s\p{N}]+|[\s\S]",
    r"(?<=\n|\r)\s+|(?<!x)\d{2,}?|[^\]\-\n]+?",
]
NOT_READ_ALIKE = [
    (
        r"\p{N}{1,3}+|.",
        r"holds '\{1,3\}\+', which repeats in Oniguruma and is possessive elsewhere: expected it written",
    ),
    (r"a{2}+", r"holds '\{2\}\+', which repeats"),
    (r"a{2,}+", r"holds '\{2,\}\+', which repeats"),
    (r"a{,2}+b", r"holds '\{,2\}\+', which repeats"),
    (r"a{2}?", r"holds '\{2\}\?', which is optional in Oniguruma and not elsewhere"),
    (r"^a|.", r"holds '\^', which matches at every line in Ruby's syntax: expected \\A"),
    (r"a$|.", r"holds '\$', which matches at every line in Ruby's syntax"),
    (r"a\Z|.", r"holds '\\\\Z', which also matches before a last line end there: expected \\z"),
    (r"\h+", r"holds '\\\\h', which is a hexadecimal digit there"),
    (r"[\h]+", r"holds '\\\\h', which is a hexadecimal digit there"),
    (r"\w+|.", r"holds '\\\\w', which holds other characters there"),
    (r"\ba|.", r"holds '\\\\b', which knows other words there"),
    (r"[a&&b]", r"holds '&&', which in a class is an operation on sets to one of the two: expected it escaped"),
    (r"[+--b]", r"holds '--', which in a class"),
    (r"[a||b]", r"holds '\|\|', which in a class"),
    (r"[a~~b]", r"holds '~~', which in a class"),
    (r"[[ab]", r"which holds a bracket, which Ruby's syntax nests: expected \\\[ or \\\]"),
    (r"[^\p{L}\P{L}]", r"which leaves out a class and its complement"),
    *((f"(?{flag})a.", rf"holds '\(\?{flag}\)', which is not known to be read alike") for flag in "smuaLxwf"),
    (r"(?V1)a", r"holds '\(\?V1\)'"),
    (r"(?s:a.)", r"holds '\(\?s:'"),
    (r"(?P<name>a)", r"holds '\(\?P<name>a\)'"),
    (r"\pL", r"holds '\\\\pL', which is not known to be read alike: expected a general category, as \\p\{Lu\}"),
    (r"\p{Word}", r"holds '\\\\p\{Word\}', which is not known"),
    (r"(a)\1", r"holds '\\\\1', which is not known to be read alike"),
    (r"(?=a)|b", r"which can match nothing at all, where the engines cut otherwise"),
    (r"(?<=a+)b", r"holds '\+', which repeats in a look-behind"),
    (r"(?<=\z)b", r"holds '\\\\z', which stands in a look-behind"),
    (r"(?:\s*)+a", r"which repeats what can take no text"),
    (r"(?i:ss)", r"holds 'ss', which within \(\?i is also one character to Oniguruma"),
    (r"(?i)in", r"holds 'i', which within \(\?i is also U\+0130 to one of the two"),
    (r"(?i)é", r"holds 'é', which stands within \(\?i"),
    (r"(?i:[a-z]+)", r"holds '\[a-', which is a class within \(\?i"),
    (r"(?i:[\p{L}]+)", r"holds '\\\\p\{L\}', which is a class within \(\?i"),
    (r"(?i:[^k])", r"holds '\[\^k\]', which is a class within \(\?i"),
    (r"(?i:\p{Lu})", r"holds '\\\\p\{Lu\}', which is a class within \(\?i"),
    (r"[^.a-z]|(?i:b)", r"holds '\[\^.a-z\]', which is not read alike beside \(\?i:"),
]
ATOMS = [*"abksfitl .1'-_|&~]}é試\n{^$", r"\s", r"\S", r"\d", r"\D", r"\p{L}", r"\P{N}", r"\p{Lu}", r"\p{^P}"]
ATOMS += [r"\A", r"\z", r"\n", r"\-", r"\x41", r"\u00e9", r"\w", r"\b", r"\h", "(?s)", r"\1", r"\Z", r"\é", r"\'"]
MEMBERS = [*"abs-^ '&|~.é1", r"\s", r"\d", r"\p{L}", r"\P{L}", r"\-", r"\]", "a-z", "0-9", r"\n", r"\u0041-\u005a"]
OPENINGS = ["(", "(?:", "(?>", "(?i:", "(?i:", "(?=", "(?!", "(?<=", "(?<!"]
QUANTIFIERS = [*[""] * 4, *"+*?", "++", "*+", "?+", "+?", "*?", "??", "{2}", "{1,2}", "{,2}", "{1,}", "{1,2}?", "{2}+"]
CHARACTERS = [
    *"abksfitlABKSFITL .1'-_|&~[]{}éÉ試\n\r\t²½٣ßẞﬁﬀ\u017fK\u0131İŉǆ🙂",
    "ss",
    "st",
    "\u0301",
    "\u200d",
    "\x85",
    "\u2028",
]


def an_expression(chance: random.Random, depth: int = 2) -> str:
    def atom() -> str:
        kind = chance.random() if depth else 0.0
        if kind < 0.55:
            return chance.choice(ATOMS)
        if kind < 0.75:
            return f"[{chance.choice(['', '^'])}{''.join(chance.choices(MEMBERS, k=chance.randint(1, 4)))}]"
        return f"{chance.choice(OPENINGS)}{an_expression(chance, depth - 1)})"

    def branch() -> str:
        return "".join(atom() + chance.choice(QUANTIFIERS) for _ in range(chance.randint(1, 3)))

    return "|".join(branch() for _ in range(chance.choice([1, 1, 2, 3])))


def pieces_of(theirs: pre_tokenizers.PreTokenizer, text: str) -> list[str]:
    return [text[start:end] for _, (start, end) in theirs.pre_tokenize_str(text)]


def test_what_is_let_through_cuts_alike() -> None:
    chance, num_checked = random.Random(0), 0
    while num_checked < 400:
        expression = chance.choice(["", "", "", "(?i)"]) + an_expression(chance)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the `regex` package, on set operations
                ours = Pretokens(expression)
            same_in_oniguruma(expression)
        except ValueError:
            continue
        theirs = pre_tokenizers.Split(Regex(expression), "isolated")
        for _ in range(8):
            text = "".join(chance.choices(CHARACTERS, k=chance.randint(1, 25)))
            assert pieces_of(theirs, text) == ours.split(text), expression
        num_checked += 1


@pytest.mark.parametrize("expression", USED)
def test_expressions_in_use_are_written_and_read(expression: str, tmp_path: Path) -> None:
    ours = BPETokenizer(vocab_size=320, pattern=expression)
    ours.train(SOURCES)
    path = tmp_path / "tokenizer.json"
    write_huggingface(ours, path)
    theirs = tokenizers.Tokenizer.from_file(str(path))
    again = read_huggingface(path)
    for text in [TEXT, *SOURCES]:
        ids = ours.encode(text[:20_000])
        assert ids_of_plain_text(theirs, text[:20_000]) == ids == again.encode(text[:20_000])


@pytest.mark.parametrize("expression", USED)
def test_files_of_others_with_expressions_in_use_are_read(expression: str, tmp_path: Path) -> None:
    theirs = theirs_trained(expression, vocab_size=400)
    theirs.save(str(tmp_path / "theirs.json"))
    ours = read_huggingface(tmp_path / "theirs.json")
    for text in [TEXT, *SOURCES]:
        assert ours.encode(text) == ids_of_plain_text(theirs, text)


@pytest.mark.parametrize(("expression", "message"), NOT_READ_ALIKE)
def test_what_may_mean_something_else_is_refused(expression: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        same_in_oniguruma(expression)


@pytest.mark.parametrize(("expression", "message"), [(r"^a|\s|.", r"holds '\^'"), (r"(?s)a.|\s", r"holds '\(\?s\)'")])
def test_in_reading_and_in_writing(expression: str, message: str, tmp_path: Path) -> None:
    ours = BPETokenizer(vocab_size=260, pattern=expression)
    ours.train([TEXT])
    path = tmp_path / "tokenizer.json"
    with pytest.raises(ValueError, match=message):
        write_huggingface(ours, path)
    assert not path.exists()
    other = BPETokenizer(vocab_size=260, pattern=".")
    other.train([TEXT])
    write_huggingface(other, path)
    path.write_text(path.read_text().replace('"Regex": "."', f'"Regex": {json.dumps(expression)}'))
    with pytest.raises(ValueError, match=message):
        read_huggingface(path)
