"""tiktoken's rank files (`.tiktoken`, Llama 3's `tokenizer.model`): a token in base 64, a space and its rank in a line.

Source: the `tiktoken` package, checked against version 0.14. Any two neighbours merge if what they make is a token, the
lowest rank first, the leftmost first; a pre-token that is a token is taken as it stands. Ids are the ranks. Pattern and
special tokens are not in the file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from zoo.files import write_atomically
from zoo.interop._alphabet import spelled
from zoo.interop._merging import merges_by_product, merges_in_use
from zoo.interop._reading import complaints_about, existing
from zoo.interop._vocabulary import Vocabulary
from zoo.wording import listing, nearest

_MAX_RANK_DIGITS = 10


class Encoding(NamedTuple):
    """What a published encoding has beside its rank file."""

    pattern: str
    special_ids: Mapping[str, int]


# tiktoken 0.14, openai_public.py
_FIM = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
_GPT2 = Encoding("gpt2", {"<|endoftext|>": 50256})
ENCODINGS: dict[str, Encoding] = {
    "gpt2": _GPT2,
    "r50k_base": _GPT2,
    "p50k_base": _GPT2,
    "p50k_edit": Encoding("gpt2", {"<|endoftext|>": 50256} | {name: 50281 + i for i, name in enumerate(_FIM)}),
    "cl100k_base": Encoding(
        "cl100k",
        {"<|endoftext|>": 100257} | {name: 100258 + i for i, name in enumerate(_FIM)} | {"<|endofprompt|>": 100276},
    ),
    "o200k_base": Encoding("o200k", {"<|endoftext|>": 199999, "<|endofprompt|>": 200018}),
}


def check_encoding(name: str) -> None:
    """Raises:
    ValueError: no such encoding is published.
    """
    if name not in ENCODINGS:
        raise ValueError(f"encoding={name!r}: expected one of {listing(ENCODINGS)}{nearest(name, ENCODINGS)}")


def read_vocabulary(
    path: Path, encoding: str | None, pattern: str | None, special_tokens: Mapping[str, int] | None
) -> Vocabulary:
    """What a rank file says; see `zoo.interop.read_tiktoken`."""
    special_ids = dict(special_tokens or {})
    if encoding is not None:
        check_encoding(encoding)
        pattern, special_ids = ENCODINGS[encoding].pattern, {**ENCODINGS[encoding].special_ids, **special_ids}
    with complaints_about(existing(path)):
        if pattern is None:
            raise ValueError(
                f"a rank file does not state how text is cut: expected encoding= ({listing(ENCODINGS)}) or pattern= "
                f"('none' for no cut)"
            )
        ranks = _read_ranks(path.read_bytes())
        merges, unmade = merges_by_product(ranks)
        return Vocabulary(None if pattern == "none" else pattern, ranks, merges, special_ids, tuple(unmade))


def write_vocabulary(vocabulary: Vocabulary, path: Path) -> None:
    """Write a rank file; see `zoo.interop.write_tiktoken`."""
    with complaints_about(path):
        own, _ = merges_in_use(vocabulary.ids, vocabulary.merges)
        merges, unmade = merges_by_product(vocabulary.ids)
        if own != merges:
            wrong = next(ours or theirs for ours, theirs in zip_longest(own, merges) if ours != theirs)
            raise ValueError(
                f"cannot be written: in a rank file pairs merge by the id of what they make, and here "
                f"{spelled(wrong[0])!r} {spelled(wrong[1])!r} merges otherwise"
            )
        if set(vocabulary.whole) != set(unmade):
            raise ValueError(
                f"cannot be written: in a rank file a pre-token that is a token is taken as it stands, and here "
                f"{spelled(unmade[0])!r} is not"
            )
    by_rank = sorted(vocabulary.ids.items(), key=lambda item: item[1])
    write_atomically(path, b"".join(b"%s %d\n" % (base64.b64encode(token), rank) for token, rank in by_rank))


def _read_ranks(content: bytes) -> dict[bytes, int]:
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(content.split(b"\n"), start=1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) != 2 or not fields[1].isdigit() or len(fields[1]) > _MAX_RANK_DIGITS:
            raise ValueError(f"line {number}: expected a token in base 64, a space and a rank, got {_shown(line)}")
        try:
            token = base64.b64decode(fields[0], validate=True)
        except binascii.Error as error:
            raise ValueError(f"line {number}: {_shown(fields[0])} is not base 64 ({error})") from None
        if token in ranks:
            raise ValueError(f"line {number}: the token {spelled(token)!r} comes twice")
        ranks[token] = int(fields[1])
    return ranks


def _shown(line: bytes) -> str:
    text = line.decode("ascii", errors="backslashreplace").strip()
    return repr(text if len(text) <= 60 else text[:60] + "...")
