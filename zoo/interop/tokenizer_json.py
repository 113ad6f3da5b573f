"""Hugging Face `tokenizer.json`: byte-level byte-pair encoding, read and written.

Source: the `tokenizers` package, checked against version 0.23; there merges apply by their place in the list, the
lowest first, the leftmost of equals first, as here. What would change ids and is not done here is refused by name.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from zoo.files import write_atomically
from zoo.interop._alphabet import pairs_of, spelled
from zoo.interop._hf_pattern import read_pattern, write_pattern
from zoo.interop._merging import merges_in_use
from zoo.interop._reading import complaints_about, existing, read_json_object
from zoo.interop._vocabulary import Vocabulary, ordinary_ids
from zoo.wording import nearest

Deviation = Literal["normalizer", "added_tokens"]
DEVIATIONS: tuple[str, ...] = get_args(Deviation)

_PARTS = ["version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor"]
_PARTS += ["decoder", "model"]
_MODEL = ["type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk"]
_MODEL += ["byte_fallback", "ignore_merges", "vocab", "merges"]
_FLAGS = ("single_word", "lstrip", "rstrip")  # of an added token: what they take of the text around it


def read_vocabulary(path: Path, allow: Collection[Deviation] = ()) -> Vocabulary:
    """What a `tokenizer.json` says; see `zoo.interop.read_huggingface`."""
    with complaints_about(existing(path)):
        body = read_json_object(path)
        _check_known(body, _PARTS, "tokenizer.json")
        model, added = body.get("model"), body.get("added_tokens") or []
        if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
            kind = model.get("type") if isinstance(model, dict) else model
            raise ValueError(f"its model is {kind!r}: expected 'BPE'")
        if not isinstance(added, list) or not all(isinstance(token, dict) for token in added):
            raise ValueError("its added_tokens are no list of objects")
        _check_model(model)
        _check_normalizer(body.get("normalizer"), allow)
        decoder = body.get("decoder")
        if decoder is not None and _kinds(decoder) != ["ByteLevel"]:
            raise ValueError(f"its decoder is {', '.join(_kinds(decoder))}: expected ByteLevel")
        _warn(path, body)
        vocab, merges = model["vocab"], pairs_of(model["merges"])
        special_ids = _special_ids(added, vocab, allow)
        ids, pattern = ordinary_ids(vocab, merges, special_ids), read_pattern(body.get("pre_tokenizer"))
        whole = merges_in_use(ids, merges)[1] if model.get("ignore_merges") else []
        return Vocabulary(pattern, ids, merges, special_ids, tuple(whole))


def write_vocabulary(vocabulary: Vocabulary, path: Path) -> None:
    """Write a `tokenizer.json`; see `zoo.interop.write_huggingface`."""
    with complaints_about(path):
        ids = vocabulary.all_spelled_ids()
        pre_tokenizer = write_pattern(vocabulary.pattern)
    flags = dict.fromkeys(_FLAGS, False) | {"normalized": False, "special": True}
    added = sorted(vocabulary.special_ids.items(), key=lambda item: item[1])
    body = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": special} | flags for special, i in added],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": bool(vocabulary.whole),
            "vocab": ids,
            "merges": [[spelled(left), spelled(right)] for left, right in vocabulary.merges],
        },
    }
    write_atomically(path, json.dumps(body, ensure_ascii=False, indent=2))


def _check_known(found: Collection[str], known: Sequence[str], where: str) -> None:
    for key in found:
        if key not in known:
            raise ValueError(f"the key {key!r} is unknown in a {where}{nearest(key, known)}")


def _check_model(model: dict[str, Any]) -> None:
    """`unk_token`, `fuse_unk` and `byte_fallback` may be anything: where every byte is a token, nothing is unknown."""
    _check_known(model, _MODEL, "model")
    for key, kind in (("vocab", dict), ("merges", list)):
        if not isinstance(model.get(key), kind):
            raise ValueError(f"the {key!r} of its model is {type(model.get(key)).__name__}, expected a {kind.__name__}")
    for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(key):
            raise ValueError(f"its model has {key}={model[key]!r}, which changes ids: expected none")


def _check_normalizer(normalizer: Any, allow: Collection[Deviation]) -> None:
    if normalizer is None or "normalizer" in allow:
        return
    raise ValueError(
        f"its normalizer {', '.join(_kinds(normalizer))} changes text, so that ids do not tell it: expected none, or "
        f"allow=['normalizer'] to read the file without it"
    )


def _kinds(part: Any) -> list[str]:
    """Types of a part of the pipeline, or of the steps that it is a sequence of."""
    if not isinstance(part, dict):
        return [repr(part)]
    steps = next((part[key] for key in ("normalizers", "processors", "decoders") if key in part), None)
    if part.get("type") == "Sequence" and isinstance(steps, list):
        return [kind for step in steps for kind in _kinds(step)]
    return [str(part.get("type"))]


def _warn(path: Path, body: dict[str, Any]) -> None:
    """What acts on whole inputs, not on text, is left out aloud."""
    if adding := [kind for kind in _kinds(body.get("post_processor") or {"type": "ByteLevel"}) if kind != "ByteLevel"]:
        warnings.warn(
            f"{path}: its post_processor {', '.join(adding)} is left out: no special tokens are added around a text",
            stacklevel=2,
        )
    for part in ("truncation", "padding"):
        if body.get(part) is not None:
            warnings.warn(f"{path}: its {part} is left out: a text keeps its length", stacklevel=2)


def _special_ids(added: list[dict[str, Any]], vocab: dict[str, int], allow: Collection[Deviation]) -> dict[str, int]:
    """Ids of the added tokens. `tokenizers` gives one that is not in the vocabulary the next free id, whatever the file
    says, so a file that says otherwise has two meanings."""
    ids: dict[str, int] = {}
    for token in added:
        content, stated = token.get("content"), token.get("id")
        if not isinstance(content, str) or not content:
            raise ValueError(f"an added token has the content {content!r}: expected text")
        if "added_tokens" not in allow:
            _check_plain(content, token)
        if content in ids:
            raise ValueError(f"the added token {content!r} comes twice")
        given = vocab.get(content, len(vocab) + sum(special not in vocab for special in ids))
        if type(stated) is not int or stated != given:
            raise ValueError(
                f"the added token {content!r} has the id {stated!r}, and `tokenizers` would give it {given}"
            )
        ids[content] = given
    _check_order(added)
    return dict(sorted(ids.items(), key=lambda item: item[1]))


def _check_plain(content: str, token: dict[str, Any]) -> None:
    wrong = [flag for flag in _FLAGS if token.get(flag)]
    if token.get("special") is not True:
        wrong = ["special=false", *wrong]
    if wrong:
        raise ValueError(
            f"the added token {content!r} is {' and '.join(wrong)}: expected a plain special token, or "
            f"allow=['added_tokens'] to read it as one"
        )


def _check_order(added: list[dict[str, Any]]) -> None:
    """Tokens that are not `normalized` are looked for first, and only then the others, in the text between: which is
    the longest first, as here, unless one of each kind can overlap.

    Raises:
        ValueError: they can.
    """
    first = [token["content"] for token in added if not token.get("normalized")]
    then = [token["content"] for token in added if token.get("normalized")]
    for a in first:
        for b in then:
            if b in a or a in b or _joins(a, b) or _joins(b, a):
                raise ValueError(f"the added tokens {a!r} and {b!r} can overlap, and differ in 'normalized'")


def _joins(a: str, b: str) -> bool:
    return any(a.endswith(b[:n]) for n in range(1, min(len(a), len(b))))
