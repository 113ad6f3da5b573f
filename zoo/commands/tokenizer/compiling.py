"""Compiled code that this machine does not have yet: a user who waits for it is told so."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Literal, get_args

from zoo.tokenizers import BPETokenizer, Tokenizer

COMPILING = "compiling byte-pair encoding, once on this machine: about a minute"
Work = Literal["train", "encode", "decode"]
WORKS: tuple[Work, ...] = get_args(Work)


def say_if_compiling(tokenizer: Tokenizer, work: Work, say: Callable[[str], Any]) -> None:
    """Say so where the code that a tokenizer works with has yet to be compiled."""
    if merges(tokenizer) and not is_compiled(work):
        say(COMPILING)


def merges(tokenizer: Tokenizer) -> bool:
    """Whether a tokenizer is byte-pair encoding, ours or of others."""
    others = sys.modules.get("zoo.interop.pretrained")  # whoever made one has imported it; numba costs half a second
    return isinstance(tokenizer, BPETokenizer) or (
        others is not None and isinstance(tokenizer, others.PretrainedTokenizer)
    )


def is_compiled(work: Work) -> bool:
    """Whether numba finds the code on disk, compiled from the source as it stands. It has no public way to ask before
    it compiles."""
    from zoo.tokenizers import _bpe_encode, _bpe_train, _decode

    compiled: dict[Work, Any] = {
        "train": _bpe_train.learn,
        "encode": _bpe_encode.encode_text,
        "decode": _decode.write_tokens,
    }
    return bool(compiled[work]._cache._cache_file._load_index())
