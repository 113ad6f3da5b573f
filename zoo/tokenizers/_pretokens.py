"""Pre-tokens: the pieces of text that byte-pair encoding never merges across, cut by a regular expression.

Every piece counts: text between two matches of the expression is a piece of its own, so the pieces always join to the
text. (tiktoken drops such text; Hugging Face keeps it, as here.)
"""

from __future__ import annotations

import re
from typing import Any

import regex

from zoo.wording import listing, nearest

# As tiktoken 0.14 writes them (openai_public.py), which backtracks less than the expressions first published and cuts
# alike, but for one case: cl100k takes white space at the end of a text whole, where "\n " once was "\n" and " ".
# In Python `$` also matches before a final newline, in Rust it does not; behind `\s++` the two are one.
PATTERNS: dict[str, str] = {
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}


def compile_pattern(pattern: str | None) -> Any | None:
    """The compiled expression of a preset or of a user's own; None cuts nothing.

    Raises:
        ValueError: the expression does not compile, searches backwards, or matches the empty string (so that it
            could cut between any two characters); or it is a bare word, which is a preset misspelt.
    """
    if pattern is None:
        return None
    if pattern not in PATTERNS and re.fullmatch(r"\w+", pattern):
        raise ValueError(
            f"pattern={pattern!r} is no preset and no useful expression: expected one of {listing(PATTERNS)}, None "
            f"or a regular expression{nearest(pattern, PATTERNS)}"
        )
    try:
        compiled = regex.compile(PATTERNS.get(pattern, pattern))
    except regex.error as error:
        raise ValueError(f"pattern={pattern!r} does not compile as a regular expression: {error}") from None
    if compiled.flags & regex.REVERSE:
        raise ValueError(f"pattern={pattern!r} searches backwards: expected an expression without the flag (?r)")
    if compiled.match(""):
        raise ValueError(
            f"pattern={pattern!r} matches the empty string: expected an expression that takes at least one character, "
            f"or None to cut nothing"
        )
    return compiled


def split(compiled: Any | None, text: str) -> list[str]:
    """Pieces of a text; joined, they are the text, and none is empty."""
    if compiled is None:
        return [text] if text else []
    if compiled.groups == 0:  # findall returns the groups where there are any
        pieces = compiled.findall(text)
        if sum(map(len, pieces)) == len(text) and all(pieces):
            return pieces
    return _split_with_gaps(compiled, text)


def _split_with_gaps(compiled: Any, text: str) -> list[str]:
    pieces, end = [], 0
    for match in compiled.finditer(text):
        if match.end() > match.start():  # a look-around can match nothing at some places only
            pieces += [text[end : match.start()], match.group()]
            end = match.end()
    pieces.append(text[end:])
    return [piece for piece in pieces if piece]
