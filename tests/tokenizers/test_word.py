from __future__ import annotations

import unicodedata
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizers.tokenizer_cases import TEXTS
from zoo.tokenizers import WordTokenizer
from zoo.tokenizers._pretokens import PATTERNS, compile_pattern, split
from zoo.tokenizers.base import END_OF_TEXT

TEXT = "the cat saw the dog; the dog saw\nthe"


def trained(texts: list[str], **options: object) -> WordTokenizer:
    tokenizer = WordTokenizer(**options)
    tokenizer.train(texts)
    return tokenizer


def words(tokenizer: WordTokenizer) -> list[str]:
    return [tokenizer.decode([i]) for i in range(tokenizer.unknown_id + 1, tokenizer.vocab_size)]


def scan(text: str) -> list[str]:
    r"""`\w+|.` by hand: runs of letters, marks, digits and connectors, and anything else alone."""
    pieces: list[str] = []
    inside = False
    for char in text:
        is_word = unicodedata.category(char) in ("Nd", "Pc") or unicodedata.category(char)[0] in "LM"
        if is_word and inside:
            pieces[-1] += char
        else:
            pieces.append(char)
        inside = is_word
    return pieces


def test_words_by_frequency_and_then_by_first_occurrence() -> None:
    """A space occurs 7 times, "the" 4, "saw" and "dog" 2 each, of which "saw" comes first."""
    assert words(trained([TEXT])) == [" ", "the", "saw", "dog", "cat", ";", "\n"]
    assert words(trained([TEXT], vocab_size=2 + 3)) == [" ", "the", "saw"]
    assert words(trained(["b a", "a b c"], pattern=r"\S+")) == [" ", "b", "a", "c"]


def test_ids_are_specials_unknown_and_words() -> None:
    tokenizer = trained([TEXT], specials=(END_OF_TEXT, "<|end|>"))
    assert tokenizer.unknown_id == 2
    assert tokenizer.encode("the wolf saw") == [4, 3, 2, 3, 5]
    assert tokenizer.decode([4, 3, 2, 3, 5, 1]) == "the <unk> saw<|end|>"
    assert tokenizer.lost("the wolf saw: ") == [b"wolf", b":"]


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(TEXTS, max_size=4), num_words=st.integers(0, 12))
def test_equals_counting_by_hand(texts: list[str], num_words: int) -> None:
    counts = Counter(piece for text in texts for piece in scan(text) if text.isascii())
    texts = [text for text in texts if text.isascii()]  # of others see the next test
    order = list(counts)
    expected = sorted(counts, key=lambda word: (-counts[word], order.index(word)))[:num_words]
    assert words(trained(texts, vocab_size=2 + num_words)) == expected


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("naïve café_2", ["naïve", " ", "café_2"]),
        ("cafe\u0301 e\u0301", ["cafe\u0301", " ", "e\u0301"]),  # a mark goes with its letter
        ("δοκιμή試験", ["δοκιμή試験"]),
        ("don't", ["don", "'", "t"]),
        ("a\r\n\n\tb", ["a", "\r", "\n", "\n", "\t", "b"]),
        ("🙂🙂", ["🙂", "🙂"]),
        ("\x00 \u2028", ["\x00", " ", "\u2028"]),
    ],
)
def test_pieces_of_the_default_pattern(text: str, pieces: list[str]) -> None:
    tokenizer = trained([text])
    assert [tokenizer.decode([i]) for i in tokenizer.encode(text)] == pieces == scan(text)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_presets_cut_as_the_pretokens(pattern: str) -> None:
    text = "I'll say it'S 12345 ...   ok\n\nend\n"
    tokenizer = trained([text], pattern=pattern)
    assert [tokenizer.decode([i]) for i in tokenizer.encode(text)] == split(compile_pattern(pattern), text)


def test_text_between_matches_is_a_word_of_its_own() -> None:
    tokenizer = trained(["12ab, cd!"], pattern="[a-z]+")
    assert words(tokenizer) == ["12", "ab", ", ", "cd", "!"]
    assert tokenizer.lost("ab -- cd") == [b" -- "]


def test_unk_in_a_text_is_text() -> None:
    tokenizer = trained(["<unk> <unk>"], pattern=r"\S+")
    assert tokenizer.encode("<unk>") == [tokenizer.unknown_id + 1]
    assert tokenizer.encode("<UNK>") == [tokenizer.unknown_id]
    assert tokenizer.decode(tokenizer.encode("<unk><UNK>")) == "<unk>"
    assert tokenizer.lost("<unk> <UNK>") == [b"<UNK>"]
    assert trained(["a"]).encode("<unk>") == [1, 1, 1]


def test_case_makes_another_word() -> None:
    assert trained(["The the the"]).lost("THE The the") == [b"THE"]


def test_notes_tell_how_many_words_there_were() -> None:
    tokenizer = trained([TEXT], vocab_size=50)
    assert tokenizer.vocab_size == 1 + 1 + 7
    expected = (
        "vocab_size=50 is more than the text supports: it holds 7 different words, which with 1 special and <unk> "
        "are 9 ids"
    )
    assert tokenizer.notes() == [expected]
    assert trained([TEXT], vocab_size=9).notes() == trained([TEXT], vocab_size=8).notes() == []


def test_smallest_vocabulary_knows_nothing() -> None:
    tokenizer = trained([TEXT], vocab_size=2)
    assert tokenizer.vocab_size == 2 and tokenizer.encode("the cat") == [1, 1, 1]
    assert b"".join(tokenizer.lost(TEXT)) == TEXT.encode()


def test_too_small_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match=r"vocab_size=1 is too small: expected at least 2 \(1 special and <unk>\)"):
        WordTokenizer(vocab_size=1)


def test_unk_as_a_special_token_is_refused() -> None:
    with pytest.raises(ValueError, match="specials: '<unk>' is the unknown word's own token: expected others"):
        WordTokenizer(specials=(END_OF_TEXT, "<unk>"))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("word", r"pattern='word' is no preset .*of words, gpt2, .* or a regular expression; did you mean 'words'\?"),
        (None, "pattern=None is no preset and no useful expression: expected one of words, gpt2, "),
        ("(a", r"pattern='\(a' does not compile as a regular expression: missing \)"),
        (r"\w*", r"pattern='\\\\w\*' matches the empty string"),
    ],
)
def test_useless_pattern_is_refused(pattern: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WordTokenizer(pattern=pattern)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"pattern": "gpt2", "words": []}, "learned with pattern='gpt2': expected 'words'"),
        ({"pattern": "words"}, "state of a WordTokenizer is damaged: expected 'words', a list of text"),
        ({"pattern": "words", "words": "ab"}, "is damaged: expected 'words', a list of text"),
        ({"pattern": "words", "words": ["a", ""]}, "is damaged: expected 'words', a list of text"),
        ({"pattern": "words", "words": ["a", "b", "a"]}, "is damaged: 'a' is given twice"),
        ({"pattern": "words", "words": ["\udc80"]}, r"lone surrogate U\+DC80 at index 0"),
        ({"pattern": "words", "words": list("abcd")}, "the state has 6 ids: expected at most vocab_size=5"),
    ],
)
def test_unusable_state_is_refused(state: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WordTokenizer(vocab_size=5).load_state(state)
