"""What a file of another tokenizer says, in one form whatever its format."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from zoo.interop._alphabet import pairs_of, spelled, unspelled
from zoo.interop._merging import Pair
from zoo.tokenizers._bpe_model import BPEModel
from zoo.tokenizers._pretokens import Pretokens
from zoo.tokenizers._text import NUM_BYTES

MAX_ID = 2**22 - 1  # decoding keeps an entry for every id up to the highest, so a wild one would fill the memory
_BYTES = [bytes([byte]) for byte in range(NUM_BYTES)]


@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary of byte-level byte-pair encoding, with ids of its own.

    Attributes:
        pattern: cuts text into pre-tokens, as `BPETokenizer` takes it.
        ids: id of each ordinary token, the 256 bytes among them.
        merges: pairs of tokens that merge, by rank; what they make is a token.
        special_ids: id of each special token.
        whole: tokens that merging does not make, each taken where it is a pre-token; empty where there are none, or
            where they are not taken.

    Raises:
        ValueError: a byte is missing, an id stands for two tokens or is too high, a merge names or makes what is no
            token or comes twice, or the pattern is no usable expression.
    """

    pattern: str | None
    ids: Mapping[bytes, int]
    merges: list[Pair]
    special_ids: Mapping[str, int]
    whole: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.pattern, str | None):
            raise ValueError(f"pattern={self.pattern!r}: expected text or None")
        Pretokens(self.pattern)
        missing = [byte for byte in _BYTES if byte not in self.ids]
        if missing:
            raise ValueError(
                f"{len(missing)} of the 256 bytes have no token, 0x{missing[0].hex()} first: expected a byte-level "
                f"vocabulary"
            )
        _check_ids(self.ids, self.special_ids)
        _check_merges(self.ids, self.merges)
        for token in self.whole:
            if token not in self.ids:
                raise ValueError(f"{spelled(token)!r} is to be taken whole, but is no token")

    @cached_property
    def size(self) -> int:
        """One more than the highest id."""
        return 1 + max(*self.ids.values(), *self.special_ids.values())

    def model(self) -> BPEModel:
        """It at work."""
        tokens = _BYTES + [token for token in self.ids if len(token) > 1]
        symbols = {token: symbol for symbol, token in enumerate(tokens)}
        return BPEModel(
            pretokens=Pretokens(self.pattern),
            tokens=tokens,
            ids=np.array([self.ids[token] for token in tokens], dtype=np.uint32),
            left=np.array([symbols[left] for left, _ in self.merges], dtype=np.int64),
            right=np.array([symbols[right] for _, right in self.merges], dtype=np.int64),
            ranks=np.arange(len(self.merges), dtype=np.int64),
            products=np.array([symbols[left + right] for left, right in self.merges], dtype=np.uint32),
            special_ids=self.special_ids,
            whole={token: self.ids[token] for token in self.whole},
        )

    def spelled_ids(self) -> dict[str, int]:
        """The ordinary tokens as vocabularies write them, by id."""
        return {spelled(token): i for token, i in sorted(self.ids.items(), key=_id)}

    def all_spelled_ids(self) -> dict[str, int]:
        """These and the special tokens in one list, by id.

        Raises:
            ValueError: a special token is written as an ordinary one of another id.
        """
        ids = self.spelled_ids()
        for special, i in self.special_ids.items():
            if ids.setdefault(special, i) != i:
                raise ValueError(
                    f"cannot be written: {special!r} is a special token, of id {i}, and an ordinary one, of id "
                    f"{ids[special]}"
                )
        return dict(sorted(ids.items(), key=_id))

    def state(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "pattern": self.pattern,
            "tokens": self.spelled_ids(),
            "merges": [f"{spelled(left)} {spelled(right)}" for left, right in self.merges],
            "special_ids": dict(self.special_ids),
            "whole": [spelled(token) for token in self.whole],
        }

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Vocabulary:
        """What `state` wrote.

        Raises:
            ValueError: it is something else.
        """
        kinds = {"tokens": dict, "merges": list, "special_ids": dict, "whole": list}
        for key, kind in kinds.items():
            if not isinstance(state.get(key), kind):
                raise ValueError(f"its {key!r} is {type(state.get(key)).__name__}, expected a {kind.__name__}")
        if "pattern" not in state:
            raise ValueError("it lacks 'pattern'")
        return cls(
            state["pattern"],
            unspelled_ids(state["tokens"]),
            pairs_of(state["merges"]),
            state["special_ids"],
            tuple(unspelled(_text(token)) for token in state["whole"]),
        )


def ordinary_ids(vocab: Mapping[str, Any], merges: Iterable[Pair], specials: Collection[str]) -> dict[bytes, int]:
    """Ids of the ordinary tokens of a list that holds special tokens too: all but these, unless merges know them.

    Raises:
        ValueError: one of them stands for no bytes.
    """
    shared = {special.encode(): special for special in specials if special.isascii() and len(special) > 1}
    for left, right in merges:
        for token in (left, right, left + right):
            shared.pop(token, None)
    only_special = {special for special in specials if not special.isascii()} | set(shared.values())
    if only_special:
        vocab = {spelling: i for spelling, i in vocab.items() if spelling not in only_special}
    return unspelled_ids(vocab)


def unspelled_ids(ids: Mapping[str, Any]) -> dict[bytes, int]:
    """Tokens as vocabularies write them, with their ids.

    Raises:
        ValueError: one of them stands for no bytes.
    """
    return {unspelled(spelling): i for spelling, i in ids.items()}


def _id(item: tuple[object, int]) -> int:
    return item[1]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r}: expected a token")
    return value


def _check_ids(ids: Mapping[bytes, Any], special_ids: Mapping[str, Any]) -> None:
    owner: dict[int, bytes] = {}
    for token, i in ids.items():
        if type(i) is not int or not 0 <= i <= MAX_ID:
            raise ValueError(f"the token {spelled(token)!r} has the id {i!r}: expected one in [0, {MAX_ID}]")
        if owner.setdefault(i, token) != token:
            raise ValueError(f"the tokens {spelled(owner[i])!r} and {spelled(token)!r} both have the id {i}")
    specials: dict[int, str] = {}
    for special, i in special_ids.items():
        data = _special_bytes(special)
        if type(i) is not int or not 0 <= i <= MAX_ID:
            raise ValueError(f"the special token {special!r} has the id {i!r}: expected one in [0, {MAX_ID}]")
        if owner.get(i, data) != data:  # a special token may share the id of the ordinary one of the same bytes
            raise ValueError(f"the special token {special!r} has the id {i}, which is that of {spelled(owner[i])!r}")
        if specials.setdefault(i, special) != special:
            raise ValueError(f"the special tokens {specials[i]!r} and {special!r} both have the id {i}")


def _special_bytes(special: str) -> bytes:
    try:
        data = special.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the special token {special!r} holds a lone surrogate, which UTF-8 cannot write") from None
    if not data:
        raise ValueError("a special token is empty")
    return data


def _check_merges(ids: Mapping[bytes, int], merges: Iterable[Pair]) -> None:
    seen: dict[Pair, int] = {}
    for rank, pair in enumerate(merges):
        left, right = pair
        if left not in ids or right not in ids:
            raise ValueError(f"merge {rank} names {spelled(left if left not in ids else right)!r}, which is no token")
        if left + right not in ids:
            raise ValueError(f"merge {rank} makes {spelled(left + right)!r}, which is no token")
        if seen.setdefault(pair, rank) != rank:
            raise ValueError(f"merges {seen[pair]} and {rank} are both {spelled(left)!r} {spelled(right)!r}")
