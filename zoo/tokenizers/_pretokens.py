"""Pre-tokens: the pieces of text that byte-pair encoding never merges across, cut by a regular expression.

The presets are compiled scanners that know Unicode 16.0; a user's own expression goes through the `regex` package.
Every piece counts: text between two matches of the expression is a piece of its own, so the pieces always join to the
text. (tiktoken drops such text; Hugging Face keeps it, as here.)
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import regex
from numpy.typing import NDArray

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
    # as the tokenizer.json of Llama 3 and of Qwen 2 and 2.5 have them
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",
}
ALIASES: dict[str | None, str | None] = {"gpt4": "cl100k", "gpt4o": "o200k", "none": None}


class Pretokens:
    """Cuts text as a preset or an expression says.

    Args:
        pattern: name of a preset, an expression, or None for no cut.

    Attributes:
        pattern: the same, an alias by its proper name.
        scanner: number of the preset's scanner; None where there is none.

    Raises:
        ValueError: as `compile_pattern`.
    """

    def __init__(self, pattern: str | None):
        self.pattern = ALIASES.get(pattern, pattern)
        self._compiled = compile_pattern(self.pattern)
        self.is_preset = self.pattern in PATTERNS

    @property
    def scanner(self) -> int | None:
        if not self.is_preset:
            return None
        from zoo.tokenizers._scan import SCANNERS  # numba costs half a second: only who cuts pays it

        return SCANNERS[self.pattern or ""]

    def ends(self, text: str, data: bytes) -> NDArray[np.int64]:
        """Where the pieces of a text end in its UTF-8 `data`, by the expression."""
        pieces = split(self._compiled, text)
        lengths = map(len, pieces) if len(text) == len(data) else (len(piece.encode()) for piece in pieces)
        return np.cumsum(np.fromiter(lengths, dtype=np.int64, count=len(pieces)))

    def split(self, text: str) -> list[str]:
        """Pieces of a text; joined, they are the text, and none is empty."""
        scanner = self.scanner
        if scanner is None:
            return split(self._compiled, text)
        from zoo.tokenizers._characters import class_tables, padded
        from zoo.tokenizers._scan import scan

        data = text.encode()
        buffer, _ = padded([data])
        ends = np.empty(len(data), dtype=np.int64)
        found = ends[: scan(scanner, buffer, 0, len(data), class_tables(), ends)].tolist()
        if len(text) == len(data):
            return [text[start:end] for start, end in zip([0, *found], found, strict=False)]
        return [data[start:end].decode() for start, end in zip([0, *found], found, strict=False)]

    def cut(self, text: str) -> int:
        """A place at which the text can be cut so that its two parts split into pieces as the whole does, whatever
        follows; 0 where none is known, as with a user's own expression."""
        if not self.is_preset:
            return 0
        from zoo.tokenizers._characters import class_tables, last_cut, padded

        data = text.encode()
        place = last_cut(padded([data])[0], len(data), class_tables())
        return place if len(text) == len(data) else len(data[:place].decode())


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
            f"or a regular expression{nearest(pattern, [*PATTERNS, *(a for a in ALIASES if a)])}"
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
