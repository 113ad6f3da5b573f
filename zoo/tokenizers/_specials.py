"""Special strings in text: which are allowed, which are refused, and where a text that comes in chunks can be cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

from zoo.wording import nearest

END_OF_TEXT = "<|endoftext|>"
Specials = Literal["all"] | Collection[str]


def checked_specials(specials: Sequence[str]) -> tuple[str, ...]:
    """Raises:
    ValueError: a special token is empty, given twice or not printable, or the end of text is not among them.
    """
    if isinstance(specials, str):
        raise ValueError(f"specials={specials!r}: expected a list of strings")
    found = tuple(specials)
    for i, special in enumerate(found):
        if not isinstance(special, str) or not special or not special.isprintable():
            raise ValueError(f"specials: {special!r} is no special token: expected printable text")
        if special in found[:i]:
            raise ValueError(f"specials: {special!r} is given twice")
    if END_OF_TEXT not in found:
        raise ValueError(f"specials={list(found)}: expected {END_OF_TEXT!r} among them, which stands between documents")
    return found


def special_rules(
    own: Collection[str], allowed_special: Specials, disallowed_special: Specials
) -> tuple[set[str], set[str]]:
    """The special strings that become tokens, and those that are errors.

    Raises:
        ValueError: one is allowed that is not the tokenizer's own, or a str came that is not "all".
    """
    for name, value in (("allowed_special", allowed_special), ("disallowed_special", disallowed_special)):
        if isinstance(value, str) and value != "all":
            raise ValueError(f"{name}={value!r}: expected 'all' or a set of special tokens")
    allowed = set(own) if allowed_special == "all" else set(allowed_special)
    if unknown := sorted(allowed - set(own)):
        raise ValueError(
            f"allowed_special names {unknown[0]!r}: expected some of {', '.join(own)}{nearest(unknown[0], own)}"
        )
    return allowed, set(own) - allowed if disallowed_special == "all" else set(disallowed_special)


def special_patterns(
    own: tuple[str, ...], allowed_special: Specials, disallowed_special: Specials
) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    """What finds the special strings that become tokens, and those that are errors. Kept: a call per text is usual.

    Raises:
        ValueError: as `special_rules`.
    """
    allowed = allowed_special if isinstance(allowed_special, str) else frozenset(allowed_special)
    refused = disallowed_special if isinstance(disallowed_special, str) else frozenset(disallowed_special)
    return _kept_patterns(own, allowed, refused)


@lru_cache
def _kept_patterns(
    own: tuple[str, ...], allowed_special: Specials, disallowed_special: Specials
) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    allowed, refused = special_rules(own, allowed_special, disallowed_special)
    return any_of(allowed), any_of(refused)


def any_of(specials: Collection[str]) -> re.Pattern[str] | None:
    """Finds the special strings, the longest first where several start; None where there are none."""
    return re.compile("|".join(re.escape(s) for s in sorted(specials, key=len, reverse=True))) if specials else None


def refuse(refused: re.Pattern[str] | None, text: str) -> None:
    """Raises:
    ValueError: the text holds a refused string.
    """
    if refused and (match := refused.search(text)):
        raise ValueError(
            f"the text holds the special token {match.group()!r}: allow it (allowed_special), or encode it as "
            f"plain text (disallowed_special=())"
        )


def stream_pieces(
    chunks: Iterable[str], allowed: set[str], refused: set[str], cut: Callable[[str], int], piece_chars: int
) -> Iterator[str]:
    """A text that comes in chunks, as pieces of some `piece_chars` characters that can be encoded one by one: their
    ids, one after the other, are those of the text. Where `cut` (see `Tokenizer`) tells no place the pieces are longer.

    Raises:
        ValueError: the text holds a refused string.
    """
    longest = max(map(len, allowed | refused), default=1)
    allowed_pattern, refused_pattern = any_of(allowed), any_of(refused)
    waiting: list[str] = []
    num_waiting, enough = 0, piece_chars
    for chunk in chunks:
        waiting.append(chunk)
        num_waiting += len(chunk)
        if num_waiting < enough:
            continue
        text = "".join(waiting)
        refuse(refused_pattern, text)
        place = _place_to_cut(text, allowed_pattern, longest, cut)
        if place:
            yield text[:place]
        waiting, num_waiting = [text[place:]], len(text) - place
        enough = max(piece_chars, 2 * num_waiting)  # doubled where nothing could be cut: never quadratic
    text = "".join(waiting)
    refuse(refused_pattern, text)
    yield text


def _place_to_cut(text: str, allowed: re.Pattern[str] | None, longest: int, cut: Callable[[str], int]) -> int:
    """A special token separates the text before it from the text after it, so `cut` is asked about the text since the
    last one, alone. The last `longest - 1` characters stay: a special string may go on in the next chunk, or a longer
    one may take its place."""
    start, stop = 0, len(text) - longest + 1
    for match in allowed.finditer(text) if allowed else ():
        if match.end() > stop:
            stop = min(stop, match.start())
            break
        start = match.end()
    return start + cut(text[start:stop]) if start < stop else start
