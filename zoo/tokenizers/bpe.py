"""Byte-level BPE: the vocabulary is the bytes, and the pairs that training found most frequent, merged.

Source: Sennrich, Haddow & Birch 2016, "Neural machine translation of rare words with subword units",
arXiv 1508.07909; on bytes and cut into pre-tokens as GPT-2 (Radford et al. 2019).
Equation: repeat, until the vocabulary is full: with the words as sequences of symbols (at first their bytes),
    (a, b) = argmax over pairs of sum over words of count(word) * #{i : word[i] = a, word[i + 1] = b}
and replace a b by the new symbol ab in every word, from left to right. Encoding replays the merges in their order.

This file is the tokenizer as a user sees it; `_bpe_train.py` learns merges, `_bpe_model.py` applies them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

import zoo.tokenizers._byte_pairs as byte_pairs
from zoo.tokenizers._pretokens import Pretokens
from zoo.tokenizers._text import NUM_BYTES, documents, first_tokens
from zoo.tokenizers.base import END_OF_TEXT
from zoo.wording import listing, nearest

TieBreak = Literal["first", "greatest", "huggingface"]


class BPETokenizer(byte_pairs.BytePairTokenizer):
    """Ids: the special tokens, the 256 bytes in order, then the merges by rank.

    Args:
        vocab_size: ids at most: special tokens, 256 bytes and merges. A text that runs out of pairs gives fewer, and
            `notes()` says how many.
        pattern: cuts text into pre-tokens, which no merge crosses: "gpt2", "cl100k" (also "gpt4"), "o200k" (also
            "gpt4o"), "llama3", "qwen2", a regular expression of the `regex` package, or None (also "none") for no
            cut. Text that an expression leaves out between two matches is a pre-token of its own.
        tie_break: which of several most frequent pairs is merged: "first", the one that occurs first in the text (the
            textbook's); "greatest", the lexicographically greatest pair of byte strings (CS336's); "huggingface", the
            smallest pair of ids as Hugging Face numbers them.
        specials: special tokens, of which one is the end of text.

    Raises:
        ValueError: `vocab_size` leaves no room for the bytes, `pattern` is no usable expression, `tie_break` is
            unknown, or `specials` as in `Tokenizer`.
    """

    def __init__(
        self,
        *,
        vocab_size: int = 1024,
        pattern: str | None = "gpt2",
        tie_break: TieBreak = "first",
        specials: Sequence[str] = (END_OF_TEXT,),
    ):
        super().__init__(specials=specials)
        smallest = len(self.specials) + NUM_BYTES
        if vocab_size < smallest:
            raise ValueError(
                f"vocab_size={vocab_size} is too small: expected at least {smallest} "
                f"({NUM_BYTES} bytes and {len(self.specials)} special)"
            )
        if tie_break not in (rules := get_args(TieBreak)):
            raise ValueError(f"tie_break={tie_break!r}: expected one of {listing(rules)}{nearest(tie_break, rules)}")
        self.max_vocab_size = vocab_size
        self.tie_break: TieBreak = tie_break
        self._pretokens = Pretokens(pattern)
        self._pairs: NDArray[np.int64] | None = None
        self._ran_out = False

    @property
    def pattern(self) -> str | None:
        """Name of a preset, an expression, or None."""
        return self._pretokens.pattern

    @property
    def vocab_size(self) -> int:
        return len(self.specials) + NUM_BYTES + len(self._trained())

    @property
    def merges(self) -> list[tuple[bytes, bytes]]:
        """The merged pairs by rank, as bytes.

        Raises:
            ValueError: the tokenizer is not trained.
        """
        tokens = self.model.tokens
        return [(tokens[a], tokens[b]) for a, b in self._trained().tolist()]

    def train(self, texts: Iterable[str]) -> None:
        """Learn the merges. Memory grows with the distinct pre-tokens, not with the text.

        Raises:
            ValueError: `texts` is one string, or a text holds a lone surrogate.
        """
        from zoo.tokenizers._bpe_train import train_merges
        from zoo.tokenizers._words import count_words

        words = count_words(documents(texts), self._pretokens)
        room = self.max_vocab_size - len(self.specials) - NUM_BYTES
        self._learn(train_merges(words, room, self.tie_break))
        self._ran_out = len(self._trained()) < room

    def cut(self, text: str) -> int:
        return self._pretokens.cut(text)

    def notes(self) -> list[str]:
        if not self._ran_out:
            return []
        possible, asked = len(self._trained()), self.max_vocab_size
        return [
            f"{possible:,} merges were possible, then no pair was left: the vocabulary has {self.vocab_size:,} ids, "
            f"not vocab_size={asked:,}"
        ]

    def state(self) -> dict[str, Any]:
        """The pairs by rank, as symbols: a byte is itself, 256 + r is the result of merge r."""
        return {"pattern": self.pattern, "merges": self._trained().tolist(), "ran_out": self._ran_out}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over the merges of another instance.

        Raises:
            ValueError: they were learned with another pattern, are more than `vocab_size` has room for, or name a
                symbol before it exists.
        """
        pattern, merges = state.get("pattern"), state.get("merges")
        if not isinstance(merges, list):
            raise ValueError("the state of a BPETokenizer is damaged: expected 'merges', a list of pairs")
        if pattern != self.pattern:
            raise ValueError(f"the state was learned with pattern={pattern!r}: expected {self.pattern!r}")
        num_ids = len(self.specials) + NUM_BYTES + len(merges)
        if num_ids > self.max_vocab_size:
            raise ValueError(f"the state has {num_ids} ids: expected at most vocab_size={self.max_vocab_size}")
        for rank, pair in enumerate(merges):
            ordered = isinstance(pair, list) and len(pair) == 2
            if not ordered or not all(type(s) is int and 0 <= s < NUM_BYTES + rank for s in pair):
                raise ValueError(f"merge {rank} of the state is {pair}: expected two symbols below {NUM_BYTES + rank}")
        self._learn(np.array(merges, dtype=np.int64).reshape(-1, 2))
        self._ran_out = bool(state.get("ran_out"))

    def _learn(self, pairs: NDArray[np.int64]) -> None:
        self._pairs, self._model = pairs, None

    def _build(self) -> byte_pairs.BPEModel:
        from zoo.tokenizers._bpe_model import BPEModel

        pairs = self._trained()
        tokens, first_byte = first_tokens(()), len(self.specials)
        for a, b in pairs.tolist():
            tokens.append(tokens[a] + tokens[b])
        ids, ranks = first_byte + np.arange(len(tokens)), np.arange(len(pairs), dtype=np.int64)
        model = BPEModel(
            pretokens=self._pretokens,
            tokens=tokens,
            ids=ids,
            left=np.ascontiguousarray(pairs[:, 0]),
            right=np.ascontiguousarray(pairs[:, 1]),
            ranks=ranks,
            products=NUM_BYTES + ranks,
            special_ids=self.special_ids,
        )
        # What training learns makes each token of its own bytes, so a word that is one need not be merged. Merges that
        # somebody wrote by hand may not.
        if np.array_equal(model.encode_pieces(tokens), ids):
            model.take_whole(dict(zip(tokens, ids.tolist(), strict=True)))
        return model

    def _trained(self) -> NDArray[np.int64]:
        if self._pairs is None:
            raise self.untrained()
        return self._pairs
