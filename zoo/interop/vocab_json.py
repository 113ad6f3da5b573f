"""GPT-2's pair of files: `vocab.json`, the id of each token, and `merges.txt`, the pairs that merge, by rank.

Source: GPT-2's encoder.py (Radford et al. 2019; there `encoder.json` and `vocab.bpe`), and the `tokenizers` package,
whose `models.BPE.from_file` reads them. How text is cut and which tokens are special, the files
do not say; as a rule the pattern is GPT-2's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from zoo.files import write_atomically
from zoo.interop._alphabet import pair_of, spelled
from zoo.interop._merging import Pair
from zoo.interop._reading import complaints_about, existing, read_json_object
from zoo.interop._vocabulary import Vocabulary, ordinary_ids

VOCAB, MERGES = "vocab.json", "merges.txt"
_HEADER = "#version"  # of merges.txt; `tokenizers` passes over every line that begins so


def read_vocabulary(
    vocab_path: Path,
    merges_path: Path,
    pattern: str,
    special_tokens: Mapping[str, int] | None,
    end_of_text: str,
) -> Vocabulary:
    """What a pair of files says; see `zoo.interop.read_gpt2`."""
    with complaints_about(existing(merges_path)):
        merges = _read_merges(merges_path.read_bytes())
    with complaints_about(existing(vocab_path)):
        vocab = read_json_object(vocab_path)
        if special_tokens is None:
            special_tokens = {end_of_text: vocab[end_of_text]} if end_of_text in vocab else {}
        for special, i in special_tokens.items():
            if vocab.get(special, i) != i:
                raise ValueError(f"the token {special!r} has the id {vocab[special]}, and special_tokens says {i}")
        ids = ordinary_ids(vocab, merges, special_tokens)
        return Vocabulary(None if pattern == "none" else pattern, ids, merges, special_tokens)


def write_vocabulary(vocabulary: Vocabulary, folder: Path) -> None:
    """Write the pair of files; see `zoo.interop.write_gpt2`."""
    with complaints_about(folder):
        if vocabulary.pattern != "gpt2":
            raise ValueError(
                f"cannot be written: {VOCAB} and {MERGES} mean the pattern 'gpt2', and here it is "
                f"{vocabulary.pattern!r}"
            )
        if vocabulary.whole:
            raise ValueError(
                f"cannot be written: {MERGES} has nothing but merges, and here {spelled(vocabulary.whole[0])!r} is a "
                f"token that none makes"
            )
        ids = vocabulary.all_spelled_ids()
        lines = [f"{spelled(left)} {spelled(right)}" for left, right in vocabulary.merges]
        if header_like := next((line for line in lines if line.startswith(_HEADER)), None):
            raise ValueError(f"cannot be written: the merge {header_like!r} would be read as the header of {MERGES}")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / VOCAB, json.dumps(ids, ensure_ascii=False))
    write_atomically(folder / MERGES, "\n".join([f"{_HEADER}: 0.2", *lines, ""]))


def _read_merges(content: bytes) -> list[Pair]:
    try:
        lines = content.decode().split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    merges: list[Pair] = []
    seen: set[Pair] = set()
    for number, line in enumerate(lines, start=1):
        line = line.removesuffix("\r")
        if (number == 1 and line.startswith(_HEADER)) or not line.strip():
            continue
        if line.startswith(_HEADER):
            raise ValueError(f"line {number}: {line!r} looks like the header: expected it in line 1 alone")
        try:
            pair = pair_of(line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        if pair in seen:
            raise ValueError(f"line {number}: the merge {line!r} comes twice")
        seen.add(pair)
        merges.append(pair)
    return merges
