"""Tokenizers side by side: the table of `zoo tokenizer compare`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zoo.report import format as fmt
from zoo.report.grid import Grid
from zoo.report.tokenizer_measures import NUM_RUNS, Measures, attention_flops, embedding_params

TEXT_COLUMNS = ("tokenizer", "corpus")


@dataclass(frozen=True)
class TokenizerRow:
    """One tokenizer on one corpus.

    Attributes:
        tokenizer, corpus: what they are called.
        lossless: whether the tokenizer says so of itself.
        measures: of text that was held out.
    """

    tokenizer: str
    corpus: str
    lossless: bool
    measures: Measures


@dataclass(frozen=True)
class Comparison:
    """Attributes:
    rows: a tokenizer on a corpus each.
    d_model: width of the model whose costs are stated.
    notes: what is to be known beside the rows, of corpora and tokenizers.
    """

    rows: Sequence[TokenizerRow]
    d_model: int
    notes: Sequence[str]

    def grid(self) -> Grid:
        """The table for people. Where there is one corpus, the notes name it."""
        records = [self._cells(row) for row in self.rows]
        headings = [h for h in records[0] if h != "corpus" or len({row.corpus for row in self.rows}) > 1]
        return Grid(headings, [[record[h] for h in headings] for record in records], TEXT_COLUMNS)

    def to_json(self) -> str:
        """{"rows": [...], "d_model", "notes"}; full precision, units in the names."""
        body = {"rows": [self._record(row) for row in self.rows], "d_model": self.d_model, "notes": self.footer()}
        return json.dumps(body, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    def footer(self) -> list[str]:
        """Lines under the table: how each column is to be read, then the notes."""
        return [
            "Words are what white space separates; unknown is the share of bytes in words that the tokens do not tell.",
            f"tokens/s, MB/s: encoding of the held-out text on one thread of this machine as it was, caches warm with "
            f"text of the train split, median of {NUM_RUNS} runs.",
            f"Embedding: vocabulary x {self.d_model} (d_model) parameters if the head is tied, twice that if not.",
            f"1 MB is 10^6 bytes of such text in one sequence of T tokens. Attention: forward FLOPs of one causal "
            f"layer over it, 4 x {self.d_model} x T(T + 1)/2, exact pairs; projections (8 T d_model^2) apart.",
            *self._wrong(),
            *self.notes,
        ]

    def _wrong(self) -> list[str]:
        """Tokenizers that do not keep what they say."""
        return [
            f"WARNING: {row.tokenizer} does not give the text of {row.corpus} back, though it is said to be lossless."
            for row in self.rows
            if row.lossless and not row.measures.is_restored
        ]

    def _cells(self, row: TokenizerRow) -> dict[str, str]:
        found = row.measures
        seq_len = found.tokens_per_megabyte
        return {
            "tokenizer": row.tokenizer,
            "corpus": row.corpus,
            "vocabulary": f"{found.vocab_size:,}",
            "bytes/token": f"{found.bytes_per_token:.3f}",
            "tokens/word": f"{found.tokens_per_word:.3f}",
            "tokens/s": fmt.count(found.tokens_per_second),
            "MB/s": f"{found.bytes_per_second / 1e6:.3g}",
            "unknown": "0" if not found.lost_bytes else f"{found.unknown_byte_share:.2%}",
            "embedding params": fmt.count(embedding_params(found.vocab_size, self.d_model)),
            "tokens of 1 MB": f"{seq_len:,}",
            "attention FLOPs of 1 MB": fmt.flops(attention_flops(seq_len, self.d_model)),
        }

    def _record(self, row: TokenizerRow) -> dict[str, Any]:
        found = row.measures
        seq_len = found.tokens_per_megabyte
        params = embedding_params(found.vocab_size, self.d_model)
        return {
            "tokenizer": row.tokenizer,
            "corpus": row.corpus,
            "vocab_size": found.vocab_size,
            "num_bytes": found.num_bytes,
            "num_words": found.num_words,
            "num_tokens": found.num_tokens,
            "bytes_per_token": found.bytes_per_token,
            "tokens_per_word": found.tokens_per_word,
            "tokens_per_second": found.tokens_per_second,
            "bytes_per_second": found.bytes_per_second,
            "lossless": row.lossless,
            "is_restored": found.is_restored,
            "unknown_byte_share": found.unknown_byte_share,
            "unknown_token_share": found.unknown_token_share,
            "embedding_params_tied": params,
            "embedding_params_untied": 2 * params,
            "tokens_per_megabyte": seq_len,
            "attention_flops_per_megabyte": attention_flops(seq_len, self.d_model),
        }
