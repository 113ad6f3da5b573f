"""Files that the other packages write themselves, and what makes their ids."""

from __future__ import annotations

import argparse
import inspect
import json
import textwrap
from pathlib import Path
from typing import Any

import tiktoken
import tokenizers
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers

from zoo.tokenizers._pretokens import PATTERNS

ADDED = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}  # plain
SPECIALS = ["<|endoftext|>", "<|end|>", "<|end|><|turn|>"]
SOURCES = [inspect.getsource(module) for module in (argparse, textwrap, inspect)]
SOURCES.append("naïve café Übermut 試験 試験 проверка 🙂🙂 don't DON'T 12345 'S  \n\n\t x = [1, 2]; //\n" * 20)


def theirs_trained(expression: str | None = None, vocab_size: int = 700, **model: Any) -> tokenizers.Tokenizer:
    """A tokenizer of the `tokenizers` package; `expression` cuts text, by default as GPT-2 does."""
    theirs = tokenizers.Tokenizer(models.BPE(**model))
    bytes_alone = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=expression is None)
    theirs.pre_tokenizer = bytes_alone
    if expression is not None:
        theirs.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(expression), behavior="isolated"), bytes_alone]
        )
    theirs.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=SPECIALS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    theirs.train_from_iterator(SOURCES, trainer)
    return theirs


def ids_with_specials(theirs: tokenizers.Tokenizer, text: str) -> list[int]:
    theirs.encode_special_tokens = False
    return theirs.encode(text, add_special_tokens=False).ids


def ids_of_plain_text(theirs: tokenizers.Tokenizer, text: str) -> list[int]:
    theirs.encode_special_tokens = True
    return theirs.encode(text, add_special_tokens=False).ids


def changed(source: Path, target: Path, **changes: Any) -> Path:
    """A copy of a `tokenizer.json` in which keys have other values: "model.dropout" as model__dropout."""
    body = json.loads(source.read_text(encoding="utf-8"))
    for key, value in changes.items():
        place = body
        *parents, last = key.split("__")
        for parent in parents:
            place = place[parent]
        place[last] = value
    target.write_text(json.dumps(body), encoding="utf-8")
    return target


def tiktoken_encoding(
    ranks: dict[bytes, int], pattern: str | None, special_tokens: dict[str, int] | None = None
) -> tiktoken.Encoding:
    return tiktoken.Encoding(
        name="theirs",
        pat_str=r"[\s\S]+" if pattern is None else PATTERNS.get(pattern, pattern),
        mergeable_ranks=ranks,
        special_tokens=special_tokens or {},
    )
