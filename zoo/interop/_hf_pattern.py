r"""How a `tokenizer.json` says where text is cut: pre-tokenizers, and which of our patterns they are.

Hugging Face `tokenizers` runs expressions through Oniguruma, in Ruby's syntax. The presets have been compared with it
over every code point. In Ruby's syntax `{1,3}+` is a repeated `{1,3}`, not a possessive one as in Python and Rust: so
tiktoken's own writing of cl100k cuts otherwise there. Of expressions of one's own, those that may mean something else
there are refused (`_oniguruma`).
"""

from __future__ import annotations

from typing import Any

from zoo.interop._oniguruma import same_in_oniguruma
from zoo.tokenizers._pretokens import PATTERNS
from zoo.wording import listing

_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
_CL100K = PATTERNS["cl100k"].replace("{1,3}+", "{1,3}")  # cuts the same: nothing behind it can fail

# Expressions as they were published, and the preset that cuts as they do.
PUBLISHED: dict[str, str] = {
    # GPT-2's encoder.py
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "gpt2",
    # tiktoken's until 0.6
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "gpt2",
    r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+": "gpt2",
    PATTERNS["gpt2"]: "gpt2",
    _CL100K: "cl100k",
    # cl100k as first published is llama3's: white space at the end is cut at line breaks
    PATTERNS["llama3"]: "llama3",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+": (
        "llama3"
    ),
    PATTERNS["qwen2"]: "qwen2",
    PATTERNS["o200k"]: "o200k",
}


def read_pattern(pre_tokenizer: object) -> str | None:
    """The pattern of a pre-tokenizer: a preset where the expression is a published one.

    Raises:
        ValueError: it does something else than cut by one expression and write bytes as characters.
    """
    steps = _steps(pre_tokenizer)
    kinds = [step.get("type") for step in steps]
    if kinds not in (["ByteLevel"], ["Split", "ByteLevel"]):
        raise ValueError(
            f"its pre_tokenizer is {listing(map(str, kinds))}: expected ByteLevel, or Split and then ByteLevel"
        )
    if steps[-1].get("add_prefix_space") is not False:
        raise ValueError("its pre_tokenizer ByteLevel puts a space before the text: expected add_prefix_space=false")
    own_cuts = steps[-1].get("use_regex", True)
    if len(steps) == 1:
        return "gpt2" if own_cuts else None
    if own_cuts:
        raise ValueError(
            "its pre_tokenizer cuts twice, in Split and in ByteLevel: expected use_regex=false in ByteLevel"
        )
    return _split_pattern(steps[0])


def write_pattern(pattern: str | None) -> dict[str, Any]:
    """The pre-tokenizer that cuts as a pattern does.

    Raises:
        ValueError: Oniguruma may read the expression otherwise.
    """
    if pattern in ("gpt2", None):
        return _BYTE_LEVEL | {"use_regex": pattern == "gpt2"}
    expression = {**PATTERNS, "cl100k": _CL100K}.get(pattern) or same_in_oniguruma(pattern)
    split = {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, _BYTE_LEVEL | {"use_regex": False}]}


def _steps(pre_tokenizer: object) -> list[dict[str, Any]]:
    if not isinstance(pre_tokenizer, dict):
        raise ValueError(f"its pre_tokenizer is {pre_tokenizer!r}: expected ByteLevel, or Split and then ByteLevel")
    if pre_tokenizer.get("type") != "Sequence":
        return [pre_tokenizer]
    steps = pre_tokenizer.get("pretokenizers")
    if not isinstance(steps, list):
        raise ValueError("its pre_tokenizer Sequence has no list of pretokenizers")
    return [step for inner in steps for step in _steps(inner)]


def _split_pattern(split: dict[str, Any]) -> str:
    pattern, behavior, invert = split.get("pattern"), split.get("behavior"), split.get("invert", False)
    expression = pattern.get("Regex") if isinstance(pattern, dict) else None
    if not isinstance(expression, str):
        raise ValueError(f"its pre_tokenizer Split cuts by {pattern!r}: expected a Regex")
    preset = PUBLISHED.get(expression)
    # what is kept between matches, or removed from there: of the presets' expressions nothing is
    if behavior == "Isolated" or (behavior == "Removed" and invert is True and preset):
        return preset or same_in_oniguruma(expression)
    raise ValueError(
        f"its pre_tokenizer Split has behavior={behavior!r}, invert={invert!r}: expected 'Isolated', which keeps all "
        f"text"
    )
