"""Text to ids and back. Special tokens are handled here, once; a variant writes ordinary text only."""

from __future__ import annotations

import inspect
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

END_OF_TEXT = "<|endoftext|>"


class Tokenizer(ABC):
    """Options are constructor arguments; what `train` learns is state, kept by `save` and `load`. What needs training
    and has none raises `untrained()`.

    Special tokens are split off first, longest match first, and nothing merges across them. They take the first ids:
    `specials[i]` has id i.
    """

    lossless: ClassVar[bool] = True  # decode(encode(text)) == text for every str that UTF-8 can encode
    specials: tuple[str, ...] = (END_OF_TEXT,)
    options: dict[str, Any]  # the constructor's arguments, defaults included: with the class, what `train` depends on

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        if cls.__init__ is not object.__init__:
            bound = inspect.signature(cls.__init__).bind_partial(self, *args, **kwargs)
            bound.apply_defaults()
            self.options = dict(list(bound.arguments.items())[1:])
        else:
            self.options = {}
        return self

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of ids, special tokens included; every id is below it.

        Raises:
            ValueError: the tokenizer must be trained first.
        """

    @abstractmethod
    def train(self, texts: Iterable[str]) -> None:
        """Learn from documents; what an earlier call learned is forgotten. Special strings in them are plain text."""

    @abstractmethod
    def encode_ordinary(self, text: str) -> list[int]:
        """Ids of text in which special strings mean nothing special."""

    @abstractmethod
    def decode_bytes(self, ids: Sequence[int]) -> bytes:
        """The bytes that the ids stand for, special tokens as their UTF-8."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What `train` learned, as JSON values."""

    @abstractmethod
    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what another instance of the same options learned."""

    @property
    def end_of_text(self) -> int:
        """Id of the token that stands between documents."""
        return self.specials.index(END_OF_TEXT)

    def encode(
        self,
        text: str,
        *,
        allowed_special: Literal["all"] | Collection[str] = (),
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> list[int]:
        """Ids of a text, with the rules of tiktoken: a special string in `allowed_special` becomes its token; one in
        `disallowed_special` (by default every one that is not allowed) is an error; any other is plain text.

        Raises:
            ValueError: a disallowed special string stands in the text, or an allowed one is not of this tokenizer.
        """
        allowed = set(self.specials) if allowed_special == "all" else set(allowed_special)
        if unknown := sorted(allowed - set(self.specials)):
            raise ValueError(f"allowed_special names {unknown[0]!r}: expected some of {', '.join(self.specials)}")
        refused = set(self.specials) - allowed if disallowed_special == "all" else set(disallowed_special)
        if found := _first_special(text, refused):
            raise ValueError(
                f"the text holds the special token {found!r}: allow it (allowed_special), or encode it as plain "
                f"text (disallowed_special=())"
            )
        if not allowed:
            return self.encode_ordinary(text)
        ids: list[int] = []
        for piece in re.split(f"({_any_of(allowed)})", text):
            ids += [self.specials.index(piece)] if piece in allowed else self.encode_ordinary(piece)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of the ids. Bytes that are not UTF-8, which a cut sequence can leave, become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def save(self, path: Path | str) -> None:
        """Write what `train` learned as JSON."""
        body = {"tokenizer": type(self).__name__, "specials": list(self.specials), "state": self.state()}
        Path(path).write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")

    def load(self, path: Path | str) -> None:
        """Read what `save` wrote.

        Raises:
            ValueError: the file is another tokenizer's, or its special tokens are others, which shifts every id.
        """
        body = json.loads(Path(path).read_text(encoding="utf-8"))
        if body.get("tokenizer") != type(self).__name__:
            raise ValueError(f"{path} holds a {body.get('tokenizer')}, not a {type(self).__name__}")
        if body["specials"] != list(self.specials):
            raise ValueError(f"{path} has the special tokens {body['specials']}: expected {list(self.specials)}")
        self.load_state(body["state"])

    def check_ids(self, ids: Sequence[int]) -> None:
        """Raises:
        ValueError: an id is not of this tokenizer.
        """
        vocab_size = self.vocab_size
        if len(ids) and (min(ids) < 0 or max(ids) >= vocab_size):
            wrong = next(i for i in ids if not 0 <= i < vocab_size)
            raise ValueError(f"id {wrong} is not in [0, {vocab_size})")

    def untrained(self) -> ValueError:
        """The error to raise where something is asked that only training can tell."""
        return ValueError(f"this {type(self).__name__} is not trained: call train(texts) or load(path) first")


def _any_of(specials: Collection[str]) -> str:
    return "|".join(re.escape(s) for s in sorted(specials, key=len, reverse=True))


def _first_special(text: str, specials: Collection[str]) -> str | None:
    match = re.search(_any_of(specials), text) if specials else None
    return match.group() if match else None
