"""How byte-level vocabularies write bytes as text: a character for each byte, none of which is white space.

Source: GPT-2's encoder.py (Radford et al. 2019), `bytes_to_unicode`: a printable character of Latin-1 stands for its
own byte, and the characters from U+0100 on for the other bytes, in order.
"""

from __future__ import annotations

from collections.abc import Iterable

from zoo.tokenizers._bpe_train import HUGGINGFACE_ORDER, PRINTABLE

_OTHERS = HUGGINGFACE_ORDER[len(PRINTABLE) :]
CHARACTER_OF = {byte: chr(byte) for byte in PRINTABLE} | {byte: chr(256 + n) for n, byte in enumerate(_OTHERS)}
_BYTE_OF = {character: byte for byte, character in CHARACTER_OF.items()}
_SPELLING = {byte: ord(character) for byte, character in CHARACTER_OF.items()}


def spelled(token: bytes) -> str:
    """A token as vocabularies write it."""
    return token.decode("latin-1").translate(_SPELLING)


def unspelled(spelling: str) -> bytes:
    """The bytes of a token that a vocabulary writes.

    Raises:
        ValueError: it is empty, or holds a character that stands for no byte.
    """
    try:
        token = bytes(map(_BYTE_OF.__getitem__, spelling))
    except KeyError as error:
        character = error.args[0]
        raise ValueError(
            f"the token {spelling!r} holds {character!r} (U+{ord(character):04X}), which stands for no byte: expected "
            f"a byte-level vocabulary"
        ) from None
    if not token:
        raise ValueError("a token is empty")
    return token


def pair_of(merge: object) -> tuple[bytes, bytes]:
    """A merge, written "a b" or ["a", "b"].

    Raises:
        ValueError: it is neither.
    """
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if not isinstance(parts, list | tuple) or len(parts) != 2 or not all(isinstance(part, str) for part in parts):
        raise ValueError(f"{merge!r}: expected two tokens")
    return unspelled(parts[0]), unspelled(parts[1])


def pairs_of(merges: Iterable[object]) -> list[tuple[bytes, bytes]]:
    """The merges of a list, by rank.

    Raises:
        ValueError: one is no merge; says which.
    """
    pairs = []
    for rank, merge in enumerate(merges):
        try:
            pairs.append(pair_of(merge))
        except ValueError as error:
            raise ValueError(f"merge {rank}: {error}") from None
    return pairs
