"""What a tokenizer does to a text: how many tokens it makes of it, how fast, what it loses, what that costs a model."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from zoo.tokenizers.base import Tokenizer

NUM_RUNS = 5
MEGABYTE = 10**6  # bytes


@dataclass(frozen=True)
class Measures:
    """Of one tokenizer on one text.

    Attributes:
        vocab_size: ids.
        num_bytes, num_words, num_tokens: of the text; words are what white space separates.
        lost_pieces, lost_bytes: what the ids do not tell: unknown words.
        is_restored: whether decoding gave the text back, byte for byte.
        tokens_per_second: of encoding, on one thread.
    """

    vocab_size: int
    num_bytes: int
    num_words: int
    num_tokens: int
    lost_pieces: int
    lost_bytes: int
    is_restored: bool
    tokens_per_second: float

    @property
    def bytes_per_token(self) -> float:
        return self.num_bytes / self.num_tokens

    @property
    def tokens_per_word(self) -> float:
        """Called fertility: Ács 2019, "Exploring BERT's vocabulary" (blog)."""
        return self.num_tokens / self.num_words

    @property
    def bytes_per_second(self) -> float:
        return self.tokens_per_second * self.bytes_per_token

    @property
    def unknown_byte_share(self) -> float:
        return self.lost_bytes / self.num_bytes

    @property
    def unknown_token_share(self) -> float:
        return self.lost_pieces / self.num_tokens

    @property
    def tokens_per_megabyte(self) -> int:
        """Tokens that 1 MB of such text becomes, rounded up."""
        return -(-MEGABYTE * self.num_tokens // self.num_bytes)


def measure(tokenizer: Tokenizer, texts: Sequence[str], *, warm_up: Sequence[str]) -> Measures:
    """Encode a text, decode it again, and time it.

    Args:
        tokenizer: trained.
        texts: to measure, documents.
        warm_up: text that is encoded before each timed run.

    Raises:
        ValueError: the text has no words, or the tokenizer makes no token of it.
    """
    ids = tokenizer.encode_arrays(texts)
    lost = [] if tokenizer.lossless else [piece for text in texts for piece in tokenizer.lost(text)]
    num_words = sum(len(text.split()) for text in texts)
    num_tokens = sum(map(len, ids))
    if not num_words or not num_tokens:
        raise ValueError(f"the text to measure on has {num_words} words and {num_tokens} tokens: expected some")
    return Measures(
        vocab_size=tokenizer.vocab_size,
        num_bytes=sum(len(text.encode()) for text in texts),
        num_words=num_words,
        num_tokens=num_tokens,
        lost_pieces=len(lost),
        lost_bytes=sum(map(len, lost)),
        is_restored=all(tokenizer.decode_bytes(i) == text.encode() for i, text in zip(ids, texts, strict=True)),
        tokens_per_second=num_tokens / median(encode_seconds(tokenizer, texts, warm_up) for _ in range(NUM_RUNS)),
    )


def encode_seconds(tokenizer: Tokenizer, texts: Sequence[str], warm_up: Sequence[str]) -> float:
    """Seconds that encoding takes one thread, in the state that `warm_up` leaves: a copy is timed, so that a cache of
    words holds those of the text before, as on a long way through text, and never those of the text that is timed."""
    fresh = copy.deepcopy(tokenizer)
    fresh.encode_arrays(warm_up)
    start = time.perf_counter()
    fresh.encode_arrays(texts)
    return time.perf_counter() - start


def embedding_params(vocab_size: int, d_model: int) -> int:
    """Parameters of a table of one row per token: the input's, or input and output together where they are tied."""
    return vocab_size * d_model


def attention_flops(seq_len: int, d_model: int) -> int:
    """Forward FLOPs of the scores and weighted values of one causal attention layer over one sequence, exact pairs: 4
    d_model per pair of a query and a key it reads, T(T + 1)/2 pairs. The number of heads does not matter. The
    projections, 8 T d_model^2, are not in it."""
    import torch

    from zoo.attention import FullAttention

    with torch.device("meta"):
        layer = FullAttention(d_model=d_model, position=None, layer=0, num_heads=1)
    return layer.cost(seq_len).attention
