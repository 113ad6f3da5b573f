"""The fast training and encoding against the definition."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizers import bpe_reference
from zoo.tokenizers import BPETokenizer
from zoo.tokenizers._bpe_encode import encode_word, merge_long, merge_short

PATTERNS = ["gpt2", "cl100k", r"[^\S]|\w+|[^\w\s]+", None]
TIE_BREAKS = ["first", "greatest", "huggingface"]
# Few letters give many ties and runs; the second is what the patterns are about; the third is any Unicode.
TEXTS = st.one_of(
    st.text(alphabet="ab", max_size=40),
    st.text(alphabet="aé试1²'sTt.!  \t\n\r\u00a0\u2028🙂", max_size=40),
    st.text(max_size=30),
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


@settings(max_examples=100, deadline=None)
@given(
    words=st.lists(st.text(alphabet="ab", min_size=1, max_size=30), min_size=1, max_size=5),
    long_word=st.text(alphabet="abc", min_size=2, max_size=300),
)
def test_long_and_short_words_merge_alike(words: list[str], long_word: str) -> None:
    merges = bpe_reference.train([word.encode() for word in words], 30, "first")
    tokens = [bytes([byte]) for byte in range(256)] + [a + b for a, b in merges]
    ranks = {(tokens.index(a), tokens.index(b)): rank for rank, (a, b) in enumerate(merges)}
    expected = [tokens.index(symbol) for symbol in bpe_reference.encode(long_word.encode(), merges)]
    assert merge_short(long_word.encode(), ranks) == expected
    assert merge_long(long_word.encode(), ranks) == expected
    assert encode_word(long_word.encode(), ranks) == expected


class CountingRanks(dict):
    """Ranks that count how often they are asked."""

    num_lookups = 0

    def get(self, pair, default=None):
        self.num_lookups += 1
        return super().get(pair, default)


@pytest.mark.parametrize("letters", ["a", "ab", "aab"])
def test_long_run_is_linear(letters: str) -> None:
    """A word of n bytes asks for a pair's rank at most a few times n, however long it is."""
    tokenizer = BPETokenizer(vocab_size=300, pattern=None)
    tokenizer.train([letters * 3000])
    ranks = CountingRanks({tuple(pair): rank for rank, pair in enumerate(tokenizer.state()["merges"])})
    num_bytes = 30_000
    word = (letters * num_bytes)[:num_bytes].encode()
    symbols = encode_word(word, ranks)
    assert len(symbols) < num_bytes / 1000
    assert ranks.num_lookups <= 5 * num_bytes
    # Each merge takes away one symbol, so the count must have been asked at least once per merge.
    assert ranks.num_lookups >= num_bytes


def test_training_on_one_long_run() -> None:
    """Halves the run at each merge: 2, 4, 8, ... letters, and then what is left of it."""
    tokenizer = BPETokenizer(vocab_size=257 + 12, pattern=None)
    tokenizer.train(["a" * 2**12])
    assert [len(a + b) for a, b in tokenizer.merges] == [2**k for k in range(1, 13)]
