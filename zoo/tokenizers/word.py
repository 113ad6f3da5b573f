r"""Word tokenizer: one id per frequent word of the training text; any other word is unknown, and lost.

Source: a closed vocabulary of the frequent words, with one symbol for all others, as Bengio et al. 2003, "A neural
probabilistic language model", JMLR 3.
Equation: with S special tokens and W the most frequent pieces of the training text, ties in order of first occurrence,
    id(piece) = S + 1 + rank of piece in W    for pieces in W
    id(piece) = S, which is <unk>             otherwise,
where pieces are the matches of an expression, by default `\w+|.`, and the text between matches.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import regex
from numpy.typing import NDArray

from zoo.tokenizers._pretokens import PATTERNS, Pretokens
from zoo.tokenizers._text import TokenTable, documents, utf8
from zoo.tokenizers.base import END_OF_TEXT, Ids, Tokenizer
from zoo.wording import listing, nearest

UNKNOWN = "<unk>"
WORDS = r"(?s)\w+|."  # (?s): the dot takes newlines too. \w of the `regex` package: letters, marks, digits and _
PRESETS = ("words", *PATTERNS)
_NON_WORD = regex.compile(r"(?r)\W")  # (?r) searches from the end


class WordTokenizer(Tokenizer):
    """Ids: the special tokens, `<unk>`, then the words, the most frequent first.

    A text that holds "<unk>" holds these five characters: only a word that is not known has the id `unknown_id`.
    Case is kept. There is no option that folds it: ids of folded words would not tell which of them lost their case,
    so that `lost` could not say it and the loss would go unpaid.

    Args:
        vocab_size: ids at most: special tokens, `<unk>` and words. A text with fewer words gives fewer, and `notes()`
            says how many.
        pattern: cuts text into words: "words" (`\\w+|.`, the dot also a newline), "gpt2" or another preset of BPE's
            pre-tokens (where a space before a word is part of it), or a regular expression of the `regex` package.
            Text that the expression leaves out between two matches is a word of its own.
        specials: special tokens, of which one is the end of text.

    Raises:
        ValueError: `vocab_size` leaves no room for `<unk>`, `pattern` is no usable expression, or `specials` as in
            `Tokenizer`.
    """

    lossless: ClassVar[bool] = False

    def __init__(self, *, vocab_size: int = 8192, pattern: str = "words", specials: Sequence[str] = (END_OF_TEXT,)):
        super().__init__(specials=specials)
        if UNKNOWN in self.specials:
            raise ValueError(f"specials: {UNKNOWN!r} is the unknown word's own token: expected others")
        smallest = len(self.specials) + 1
        if vocab_size < smallest:
            raise ValueError(
                f"vocab_size={vocab_size} is too small: expected at least {smallest} "
                f"({len(self.specials)} special and {UNKNOWN})"
            )
        self.max_vocab_size = vocab_size
        self.pattern = pattern
        self._pretokens = _pretokens(pattern)
        self._ids_of_word: dict[str, int] | None = None
        self._table = TokenTable([])

    @property
    def vocab_size(self) -> int:
        return self.unknown_id + 1 + len(self._trained())

    @property
    def unknown_id(self) -> int:
        """Id of every word that is not known."""
        return len(self.specials)

    def train(self, texts: Iterable[str]) -> None:
        """Learn the most frequent words. Memory grows with the distinct words, not with the text.

        Raises:
            ValueError: `texts` is one string, or a text holds a lone surrogate.
        """
        counts: Counter[str] = Counter()
        for text in documents(texts):
            counts.update(self._pretokens.split(text))
        # most_common keeps the order of first occurrence among equals
        self._learn([word for word, _ in counts.most_common(self.max_vocab_size - self.unknown_id - 1)])

    def encode_array(self, text: str) -> Ids:
        """Ids of text, one per word.

        Raises:
            ValueError: the text holds a lone surrogate, or the tokenizer is not trained.
        """
        known, unknown = self._trained().get, self.unknown_id
        utf8(text)
        return np.array([known(word, unknown) for word in self._pretokens.split(text)], dtype=np.uint32)

    def decode_bytes(self, ids: Sequence[int] | NDArray[Any]) -> bytes:
        """Bytes of the words, `<unk>` for every one that was not known.

        Raises:
            ValueError: an id is not of this tokenizer.
        """
        return self._table.decode(self.check_ids(ids))

    def cut(self, text: str) -> int:
        if self.pattern == "words":
            # any place beside a character that is none of a word
            match = _NON_WORD.search(text)
            return match.end() if match else 0
        return self._pretokens.cut(text)

    def lost(self, text: str) -> list[bytes]:
        """The words that are not known, one for each `unknown_id` among the ids.

        Raises:
            ValueError: as `encode_array`.
        """
        known = self._trained()
        utf8(text)
        return [word.encode("utf-8") for word in self._pretokens.split(text) if word not in known]

    def notes(self) -> list[str]:
        num_words = len(self._trained())
        if self.vocab_size == self.max_vocab_size:
            return []
        return [
            f"vocab_size={self.max_vocab_size} is more than the text supports: it holds {num_words} different words, "
            f"which with {len(self.specials)} special and {UNKNOWN} are {self.vocab_size} ids"
        ]

    def state(self) -> dict[str, Any]:
        return {"pattern": self.pattern, "words": list(self._trained())}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over the words of another instance.

        Raises:
            ValueError: they were learned with another pattern, are more than `vocab_size` has room for, or are no
                list of different words.
        """
        pattern, words = state.get("pattern"), state.get("words")
        if pattern != self.pattern:
            raise ValueError(f"the state was learned with pattern={pattern!r}: expected {self.pattern!r}")
        if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
            raise ValueError("the state of a WordTokenizer is damaged: expected 'words', a list of text")
        if len(set(words)) < len(words):
            twice = next(word for word, count in Counter(words).items() if count > 1)
            raise ValueError(f"the state of a WordTokenizer is damaged: {twice!r} is given twice")
        num_ids = self.unknown_id + 1 + len(words)
        if num_ids > self.max_vocab_size:
            raise ValueError(f"the state has {num_ids} ids: expected at most vocab_size={self.max_vocab_size}")
        self._learn(words)

    def _learn(self, words: Sequence[str]) -> None:
        self._table = TokenTable([utf8(token) for token in (*self.specials, UNKNOWN, *words)])
        self._ids_of_word = {word: self.unknown_id + 1 + rank for rank, word in enumerate(words)}

    def _trained(self) -> dict[str, int]:
        if self._ids_of_word is None:
            raise self.untrained()
        return self._ids_of_word


def _pretokens(pattern: str) -> Pretokens:
    """What cuts words.

    Raises:
        ValueError: see `Pretokens`; or the pattern is None, which would make every text one word.
    """
    if pattern == "words":
        return Pretokens(WORDS)
    if not isinstance(pattern, str) or (pattern not in PATTERNS and re.fullmatch(r"\w+", pattern)):
        raise ValueError(
            f"pattern={pattern!r} is no preset and no useful expression: expected one of {listing(PRESETS)} or a "
            f"regular expression{nearest(pattern, PRESETS)}"
        )
    return Pretokens(pattern)
