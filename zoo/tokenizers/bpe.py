"""Byte-level BPE: the vocabulary is the bytes, and the pairs that training found most frequent, merged.

Source: Sennrich, Haddow & Birch 2016, "Neural machine translation of rare words with subword units",
arXiv 1508.07909; on bytes and cut into pre-tokens as GPT-2 (Radford et al. 2019).
Equation: repeat, until the vocabulary is full: with the words as sequences of symbols (at first their bytes),
    (a, b) = argmax over pairs of sum over words of count(word) * #{i : word[i] = a, word[i + 1] = b}
and replace a b by the new symbol ab in every word, from left to right. Encoding replays the merges in their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from zoo.tokenizers._bpe_encode import encode_word
from zoo.tokenizers._bpe_train import Pair, TieBreak, train_merges
from zoo.tokenizers._pretokens import compile_pattern, split
from zoo.tokenizers._text import NUM_BYTES, documents, first_tokens, utf8
from zoo.tokenizers.base import Tokenizer
from zoo.wording import listing, nearest

MAX_CACHED_WORDS = 1 << 17  # then the cache starts anew; some 20 MB
MAX_CACHED_CHARS = 64  # a longer word hardly comes again


class BPETokenizer(Tokenizer):
    """Ids: the special tokens, the 256 bytes in order, then the merges by rank.

    Args:
        vocab_size: ids at most: special tokens, 256 bytes and merges. A text that runs out of pairs gives fewer, and
            the attribute `vocab_size` says how many.
        pattern: cuts text into pre-tokens, which no merge crosses: "gpt2", "cl100k" (GPT-4), "o200k" (GPT-4o), a
            regular expression of the `regex` package, or None for no cut. Text that the expression leaves out between
            two matches is a pre-token of its own.
        tie_break: which of several most frequent pairs is merged: "first", the one that occurs first in the text (the
            textbook's); "greatest", the lexicographically greatest pair of byte strings (CS336's); "huggingface", the
            smallest pair of ids as Hugging Face numbers them.

    Raises:
        ValueError: `vocab_size` leaves no room for the bytes, `pattern` is no usable expression, or `tie_break` is
            unknown.
    """

    def __init__(self, *, vocab_size: int = 1024, pattern: str | None = "gpt2", tie_break: TieBreak = "first"):
        smallest = len(self.specials) + NUM_BYTES
        if vocab_size < smallest:
            raise ValueError(
                f"vocab_size={vocab_size} is too small: expected at least {smallest} "
                f"({NUM_BYTES} bytes and {len(self.specials)} special)"
            )
        if tie_break not in (rules := get_args(TieBreak)):
            raise ValueError(f"tie_break={tie_break!r}: expected one of {listing(rules)}{nearest(tie_break, rules)}")
        self.max_vocab_size = vocab_size
        self.pattern = pattern
        self.tie_break: TieBreak = tie_break
        self._compiled = compile_pattern(pattern)
        self._ranks: dict[Pair, int] | None = None
        self._tokens: list[bytes] = []
        self._ids_of_word: dict[str, list[int]] = {}

    @property
    def vocab_size(self) -> int:
        self._trained()
        return len(self._tokens)

    @property
    def merges(self) -> list[tuple[bytes, bytes]]:
        """The merged pairs by rank, as bytes.

        Raises:
            ValueError: the tokenizer is not trained.
        """
        first_byte = len(self.specials)
        return [(self._tokens[first_byte + a], self._tokens[first_byte + b]) for a, b in self._trained()]

    def train(self, texts: Iterable[str]) -> None:
        """Learn the merges. Memory grows with the distinct pre-tokens, not with the text.

        Raises:
            ValueError: `texts` is one string, or a text holds a lone surrogate.
        """
        counts: Counter[str] = Counter()
        for text in documents(texts):
            counts.update(split(self._compiled, text))
        words = {utf8(word): count for word, count in counts.items()}
        self._learn(train_merges(words, self.max_vocab_size - len(self.specials) - NUM_BYTES, self.tie_break))

    def encode_ordinary(self, text: str) -> list[int]:
        """Ids of text.

        Raises:
            ValueError: the text holds a lone surrogate, or the tokenizer is not trained.
        """
        self._trained()
        utf8(text)
        known = self._ids_of_word
        ids: list[int] = []
        for word in split(self._compiled, text):
            ids += known.get(word) or self._encode_word(word)
        return ids

    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        self.check_ids(ids)
        return b"".join(map(self._tokens.__getitem__, ids))

    def state(self) -> dict[str, Any]:
        """The pairs by rank, as symbols: a byte is itself, 256 + r is the result of merge r."""
        return {"pattern": self.pattern, "merges": [list(pair) for pair in self._trained()]}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over the merges of another instance.

        Raises:
            ValueError: they were learned with another pattern, are more than `vocab_size` has room for, or name a
                symbol before it exists.
        """
        pattern, merges = state.get("pattern"), [tuple(pair) for pair in state.get("merges", ())]
        if pattern != self.pattern:
            raise ValueError(f"the state was learned with pattern={pattern!r}: expected {self.pattern!r}")
        num_ids = len(self.specials) + NUM_BYTES + len(merges)
        if num_ids > self.max_vocab_size:
            raise ValueError(f"the state has {num_ids} ids: expected at most vocab_size={self.max_vocab_size}")
        for rank, pair in enumerate(merges):
            if len(pair) != 2 or not all(isinstance(s, int) and 0 <= s < NUM_BYTES + rank for s in pair):
                raise ValueError(
                    f"merge {rank} of the state is {list(pair)}: expected two symbols below {NUM_BYTES + rank}"
                )
        self._learn(merges)

    def _learn(self, merges: Sequence[Pair]) -> None:
        tokens, first_byte = first_tokens(self.specials), len(self.specials)
        for a, b in merges:
            tokens.append(tokens[first_byte + a] + tokens[first_byte + b])
        self._tokens = tokens
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._ids_of_word = {}

    def _encode_word(self, word: str) -> list[int]:
        first_byte = len(self.specials)
        ids = [first_byte + symbol for symbol in encode_word(word.encode("utf-8"), self._trained())]
        if len(word) <= MAX_CACHED_CHARS:
            if len(self._ids_of_word) >= MAX_CACHED_WORDS:
                self._ids_of_word.clear()
            self._ids_of_word[word] = ids
        return ids

    def _trained(self) -> dict[Pair, int]:
        if self._ranks is None:
            raise self.untrained()
        return self._ranks
