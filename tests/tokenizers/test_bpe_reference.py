"""The fast training and encoding against the definition."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizers import bpe_reference
from zoo.tokenizers import BPETokenizer, _word_ids
from zoo.tokenizers._bpe_merge import LONG_BYTES
from zoo.tokenizers._bpe_model import BPEModel
from zoo.tokenizers._characters import class_tables, padded
from zoo.tokenizers._pretokens import PATTERNS as PATTERNS_OF_ZOO
from zoo.tokenizers._pretokens import Pretokens
from zoo.tokenizers._text import first_tokens
from zoo.tokenizers._words import WordCounter

PATTERNS = ["gpt2", "cl100k", r"[^\S]|\w+|[^\w\s]+", None]
TIE_BREAKS = ["first", "greatest", "huggingface"]
# Few letters give many ties and runs; the second is what the patterns are about; the third is any Unicode.
TEXTS = st.one_of(
    st.text(alphabet="ab", max_size=40),
    st.text(alphabet="aé试1²'sTt.!  \t\n\r\u00a0\u2028🙂", max_size=40),
    st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=30),  # what is assigned depends on the version
    st.lists(st.sampled_from(["low", " lower", "est", "  ", "\n", "'s", " 12", "345", "aaa"]), max_size=15).map(
        "".join
    ),
)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("tie_break", TIE_BREAKS)
@settings(max_examples=50, deadline=None)
@given(documents=st.lists(TEXTS, max_size=4), unseen=TEXTS, num_merges=st.integers(0, 40))
def test_equals_the_definition(
    pattern: str | None, tie_break: str, documents: list[str], unseen: str, num_merges: int
) -> None:
    words = [word.encode() for text in documents for word in bpe_reference.pretokens(text, pattern)]
    merges = bpe_reference.train(words, num_merges, tie_break)
    tokenizer = BPETokenizer(vocab_size=257 + num_merges, pattern=pattern, tie_break=tie_break)
    tokenizer.train(documents)
    assert tokenizer.merges == merges

    tokens = [bytes([byte]) for byte in range(256)] + [a + b for a, b in merges]
    for text in [*documents, unseen]:
        symbols = [
            s for word in bpe_reference.pretokens(text, pattern) for s in bpe_reference.encode(word.encode(), merges)
        ]
        assert tokenizer.encode(text, disallowed_special=()) == [1 + tokens.index(symbol) for symbol in symbols]


def letters(num_bytes: int, alphabet: str) -> st.SearchStrategy[str]:
    return st.text(alphabet=alphabet, min_size=num_bytes, max_size=num_bytes + 200)


@settings(max_examples=40, deadline=None)
@given(
    words=st.lists(st.text(alphabet="ab", min_size=1, max_size=30), min_size=1, max_size=5),
    word=letters(2, "abc") | letters(40, "abc") | letters(LONG_BYTES, "ab"),
)
def test_long_and_short_words_merge_alike(words: list[str], word: str) -> None:
    """Of every length: in the cache of short words, of middle ones, and beyond, where another algorithm merges."""
    merges = bpe_reference.train([word.encode() for word in words], 30, "first")
    tokens = [bytes([byte]) for byte in range(256)] + [a + b for a, b in merges]
    tokenizer = BPETokenizer(vocab_size=257 + 30, pattern=None)
    pairs = [[tokens.index(a), tokens.index(b)] for a, b in merges]
    tokenizer.load_state({"pattern": None, "merges": pairs})
    assert tokenizer.encode(word) == [
        1 + tokens.index(symbol) for symbol in bpe_reference.encode(word.encode(), merges)
    ]


def test_a_long_run_is_not_quadratic() -> None:
    """A megabyte of one letter: looking at each pair for each merge would take hours."""
    tokenizer = BPETokenizer(vocab_size=257 + 12, pattern=None)
    tokenizer.train(["a" * 2**12])
    lengths = [len(tokenizer.decode([i])) for i in tokenizer.encode("a" * 10**6)]
    assert lengths == [4096] * 244 + [512, 64]


@settings(max_examples=60, deadline=None)
@given(documents=st.lists(TEXTS, max_size=4), unseen=TEXTS, pattern=st.sampled_from(list(PATTERNS_OF_ZOO)))
def test_every_preset_equals_the_definition(documents: list[str], unseen: str, pattern: str) -> None:
    expression = PATTERNS_OF_ZOO[pattern]
    words = [word.encode() for text in documents for word in bpe_reference.pretokens(text, expression)]
    merges = bpe_reference.train(words, 20, "greatest")
    tokenizer = BPETokenizer(vocab_size=257 + 20, pattern=pattern, tie_break="greatest")
    tokenizer.train(documents)
    assert tokenizer.merges == merges
    for text in [*documents, unseen]:
        pieces = bpe_reference.pretokens(text, expression)
        expected = [symbol for piece in pieces for symbol in bpe_reference.encode(piece.encode(), merges)]
        ids = tokenizer.encode_array(text)
        assert [tokenizer.decode_bytes([i]) for i in ids] == expected
        assert tokenizer.encode_arrays([text, text], num_threads=2)[1].tolist() == ids.tolist()


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.text(alphabet="ab c", min_size=1, max_size=60), min_size=1, max_size=60))
def test_counting_starts_small_and_grows(texts: list[str]) -> None:
    """Distinct words in the order in which they came, whatever room there was at first."""
    for scanner in (None, 0):
        counter = WordCounter(max_words=1, num_bytes=1)
        for text in texts:
            ends = Pretokens(PATTERNS_OF_ZOO["gpt2"]).ends(text, text.encode())
            if scanner is None:
                counter.add(padded([text.encode()])[0], 0, ends)
        if scanner is not None:
            counter.add_texts(scanner, *padded([text.encode() for text in texts]), class_tables())
        expected = Counter(piece for text in texts for piece in regex.findall(PATTERNS_OF_ZOO["gpt2"], text))
        words, n = counter.words, len(counter)
        found = [bytes(words.bytes[words.offsets[i] : words.offsets[i + 1]]).decode() for i in range(n)]
        assert dict(zip(found, words.counts[:n].tolist(), strict=True)) == expected
        assert found == list(expected)


@pytest.fixture
def small_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full after some dozen words, so that it starts anew all the time."""
    monkeypatch.setattr(_word_ids, "_SHORT_SLOTS", 64)
    monkeypatch.setattr(_word_ids, "_MIDDLE_SLOTS", 32)
    monkeypatch.setattr(_word_ids, "_CACHED_IDS", 512)


@pytest.mark.usefixtures("small_cache")
def test_the_cache_of_words_starts_anew_when_it_is_full() -> None:
    """More distinct words than it has room for, of each length that it keeps apart; the ids stay what they were."""
    tokenizer = BPETokenizer(vocab_size=257 + 40, pattern=r" ?\S+")
    tokenizer.train(["w0 w1 w2 w10 w11 w22 a much longer word: w123456789"])
    words = [f" w{i}" for i in range(2_000)] + [f" w{i:020}" for i in range(500)] + [f" w{i:050}" for i in range(9)]
    expected = [symbol for word in words for symbol in bpe_reference.encode(word.encode(), tokenizer.merges)]
    for _ in range(2):
        assert [tokenizer.decode_bytes([i]) for i in tokenizer.encode("".join(words))] == expected
        assert [tokenizer.decode_bytes([i]) for word in words for i in tokenizer.encode(word)] == expected


@pytest.mark.usefixtures("small_cache")
def test_a_cache_that_starts_anew_keeps_tokens_that_no_merge_makes() -> None:
    none = np.array([], dtype=np.int64)
    words = [b"hello", b" a word of 20 bytes!", b" a word of more than thirty-one bytes"]
    model = BPEModel(
        pretokens=Pretokens("(?s).+"),
        tokens=[*first_tokens(()), *words],
        ids=np.arange(256 + len(words)),
        left=none,
        right=none,
        ranks=none,
        products=none,
        special_ids={},
        whole={word: 256 + i for i, word in enumerate(words)},
    )
    for i in range(1_000):
        model.encode(f"{i}")
        model.encode(f"{i:020}")
        assert [model.encode(word.decode()).tolist() for word in words] == [[256], [257], [258]]


def test_training_on_one_long_run() -> None:
    """Halves the run at each merge: 2, 4, 8, ... letters, and then what is left of it."""
    tokenizer = BPETokenizer(vocab_size=257 + 12, pattern=None)
    tokenizer.train(["a" * 2**12])
    assert [len(a + b) for a, b in tokenizer.merges] == [2**k for k in range(1, 13)]
