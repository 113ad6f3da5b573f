"""Text to ids and back. Special tokens are handled here, once; a variant writes ordinary text only."""

from __future__ import annotations

import inspect
import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from zoo.files import write_atomically
from zoo.tokenizers._files import read_saved, read_text
from zoo.tokenizers._specials import (
    END_OF_TEXT,
    Specials,
    any_of,
    checked_specials,
    refuse,
    special_patterns,
    special_rules,
    stream_pieces,
)
from zoo.tokenizers._text import checked_batch, checked_ids, checked_text

Ids = NDArray[np.uint32]
_STREAM_CHARS = 2**18  # a stream is encoded in pieces of about this many characters
_READ_BYTES = 2**20  # of a file to train on, at a time


class Tokenizer(ABC):
    """Options are constructor arguments; what `train` learns is state, kept by `save` and `load`. What needs training
    and has none raises `untrained()`.

    Special tokens are split off first, longest match first, and nothing merges across them. They take the first ids:
    `specials[i]` has id i.

    Args:
        specials: special tokens, of which one is the end of text.

    Raises:
        ValueError: a special token is empty, given twice or not printable, or the end of text is not among them.
    """

    lossless: ClassVar[bool] = True  # decode(encode(text)) == text for every str that UTF-8 can encode
    specials: tuple[str, ...] = (END_OF_TEXT,)
    options: dict[str, Any]  # the constructor's arguments, defaults included: with the class, what `train` depends on

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        bound = inspect.signature(cls.__init__).bind_partial(self, *args, **kwargs)
        bound.apply_defaults()
        self.options = dict(list(bound.arguments.items())[1:])
        return self

    def __init__(self, *, specials: Sequence[str] = (END_OF_TEXT,)):
        self.specials = checked_specials(specials)

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of ids, special tokens included; every id is below it.

        Raises:
            ValueError: the tokenizer must be trained first.
        """

    @abstractmethod
    def train(self, texts: Iterable[str]) -> None:
        """Learn from documents; what an earlier call learned is forgotten. Special strings in them are plain text.

        Raises:
            ValueError: `texts` is one string, or a text holds a lone surrogate.
        """

    @abstractmethod
    def encode_array(self, text: str) -> Ids:
        """Ids of text in which special strings mean nothing special: uint32 [number of tokens].

        Raises:
            ValueError: the text holds a lone surrogate, or the tokenizer is not trained.
        """

    @abstractmethod
    def decode_bytes(self, ids: Sequence[int] | NDArray[Any]) -> bytes:
        """The bytes that the ids stand for, special tokens as their UTF-8.

        Raises:
            ValueError: an id is not of this tokenizer.
        """

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What `train` learned, as JSON values."""

    @abstractmethod
    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what another instance of the same options learned.

        Raises:
            ValueError: the state is damaged, or of other options; what was learned before stays.
        """

    def files(self) -> list[Path]:
        """Files that `train` reads, so that a token store is named by what stands in them, too. Most read none.

        Raises:
            ValueError: one is missing.
        """
        return []

    def cut(self, text: str) -> int:
        """How much of a text that goes on can be taken alone: the ids of text[:cut] and of the rest, whatever follows
        it, are those of the whole, one after the other; and training on the two parts is training on the whole. 0
        where that cannot be told. It needs no training."""
        return 0

    def lost(self, text: str) -> list[bytes]:
        """The pieces of a text that its ids do not tell, in order: with them beside the ids, the text can be written
        again. A lossy tokenizer must say it, for the bits to spell these pieces count against it.

        Raises:
            ValueError: as `encode_array`.
        """
        if self.lossless:
            return []
        raise NotImplementedError(f"{type(self).__name__} is lossy: it must say what it loses, in lost(text)")

    def notes(self) -> list[str]:
        """What training could not do as asked (a vocabulary larger than the text supports), a line each."""
        return []

    @property
    def special_ids(self) -> dict[str, int]:
        """Id of each special token."""
        return {special: i for i, special in enumerate(self.specials)}

    @property
    def end_of_text(self) -> int:
        """Id of the token that stands between documents."""
        return self.special_ids[END_OF_TEXT]

    def encode_ordinary(self, text: str) -> list[int]:
        """`encode_array` as a list."""
        return self.encode_array(text).tolist()

    def encode_arrays(self, texts: Sequence[str], *, num_threads: int = 1) -> list[Ids]:
        """`encode_array` of each text; a variant whose work leaves Python uses `num_threads` threads."""
        return [self.encode_array(text) for text in checked_batch(texts, num_threads)]

    def encode(self, text: str, *, allowed_special: Specials = (), disallowed_special: Specials = "all") -> list[int]:
        """Ids of a text, with the rules of tiktoken: a special string in `allowed_special` becomes its token; one in
        `disallowed_special` (by default every one that is not allowed) is an error; any other is plain text.

        Raises:
            ValueError: a disallowed special string stands in the text, or an allowed one is not of this tokenizer.
        """
        return self.encode_to_numpy(
            text, allowed_special=allowed_special, disallowed_special=disallowed_special
        ).tolist()

    def encode_to_numpy(
        self, text: str, *, allowed_special: Specials = (), disallowed_special: Specials = "all"
    ) -> Ids:
        """As `encode`, without a Python object per token: uint32 [number of tokens]."""
        allowed, refused = special_patterns(self.specials, allowed_special, disallowed_special)
        refuse(refused, checked_text(text))
        return self._encode_allowed(text, allowed)

    def encode_batch(
        self,
        texts: Sequence[str],
        *,
        num_threads: int = 1,
        allowed_special: Specials = (),
        disallowed_special: Specials = "all",
    ) -> list[list[int]]:
        """`encode` of each text; `num_threads` as in `encode_arrays`.

        Raises:
            ValueError: as `encode`, before any text is encoded.
        """
        allowed, refused = special_patterns(self.specials, allowed_special, disallowed_special)
        for text in checked_batch(texts, num_threads):
            refuse(refused, checked_text(text))
        if allowed is None or not any(map(allowed.search, texts)):
            return [ids.tolist() for ids in self.encode_arrays(texts, num_threads=num_threads)]
        return [self._encode_allowed(text, allowed).tolist() for text in texts]

    def encode_iterable(
        self, chunks: Iterable[str], *, allowed_special: Specials = (), disallowed_special: Specials = "all"
    ) -> Iterator[int]:
        """Ids of a text that comes in chunks (the lines of a file, say): those of `encode("".join(chunks))`, wherever
        the chunks are cut. Memory stays constant where `cut` can tell a place to cut at; else the text is gathered.

        Raises:
            ValueError: as `encode`, when the place is reached.
        """
        allowed, refused = special_rules(self.specials, allowed_special, disallowed_special)
        pattern = any_of(allowed)
        for piece in stream_pieces(chunks, allowed, refused, self.cut, _STREAM_CHARS):
            yield from self._encode_allowed(piece, pattern).tolist()

    def train_on_files(
        self, paths: Iterable[Path | str], *, errors: Literal["strict", "replace"] = "strict"
    ) -> dict[Path, int]:
        """Train on text files, a document each, read in chunks: as `train` on their texts, without holding one whole
        where `cut` can tell a place to cut at. Line ends stay as they are.

        Args:
            paths: UTF-8 files.
            errors: what invalid UTF-8 does: "strict" stops, "replace" reads U+FFFD.

        Returns:
            The files that held invalid UTF-8, and how many U+FFFD were read in its place.

        Raises:
            ValueError: a file is not UTF-8 (says where), or `paths` is one path.
        """
        if isinstance(paths, str | Path):
            raise ValueError(f"train_on_files got one path: expected an iterable of paths, such as [{str(paths)!r}]")
        if errors not in ("strict", "replace"):
            raise ValueError(f"errors={errors!r}: expected one of strict, replace")
        replaced: Counter[Path] = Counter()
        texts = (read_text(Path(path), errors, _READ_BYTES, replaced) for path in paths)
        self.train(piece for text in texts for piece in stream_pieces(text, set(), set(), self.cut, _STREAM_CHARS))
        return dict(replaced)

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """Text of the ids. Bytes that are not UTF-8, which a cut sequence can leave, become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def save(self, path: Path | str) -> None:
        """Write what `train` learned as JSON, with the class and its options, so that `zoo.tokenizers.load_tokenizer`
        needs no recipe: whole, or not at all.

        Raises:
            ValueError: the tokenizer is not trained, or an option has no JSON form.
        """
        cls = type(self)
        body = {
            "tokenizer": cls.__name__,
            "class_path": f"{cls.__module__}.{cls.__qualname__}",
            "options": self.options,
            "specials": list(self.specials),
            "state": self.state(),
        }
        try:
            content = json.dumps(body, ensure_ascii=False)
        except TypeError as error:
            raise ValueError(f"{cls.__name__}: its options and state cannot be written as JSON: {error}") from None
        write_atomically(Path(path), content)

    def load(self, path: Path | str) -> None:
        """Read what `save` wrote.

        Raises:
            ValueError: the file is damaged, or of another tokenizer, of other options or other special tokens, which
                shifts every id. What was learned before stays.
        """
        body = read_saved(Path(path))
        if body["tokenizer"] != type(self).__name__:
            raise ValueError(f"{path} holds a {body['tokenizer']}, not a {type(self).__name__}")
        if self.specials and body["specials"] != list(self.specials):  # one that has none yet learns them
            raise ValueError(f"{path} has the special tokens {body['specials']}: expected {list(self.specials)}")
        try:
            self.load_state(body["state"])
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def check_ids(self, ids: Sequence[int] | NDArray[Any]) -> NDArray[np.int64]:
        """The ids as an array.

        Raises:
            ValueError: they are no sequence of whole numbers, or one is not of this tokenizer.
        """
        return checked_ids(ids, self.vocab_size)

    def untrained(self) -> ValueError:
        """The error to raise where something is asked that only training can tell."""
        return ValueError(f"this {type(self).__name__} is not trained: call train(texts) or load(path) first")

    def _encode_allowed(self, text: str, allowed: re.Pattern[str] | None) -> Ids:
        if allowed is None:
            return self.encode_array(text)
        ids, parts, start = self.special_ids, [], 0
        for match in allowed.finditer(text):
            parts += [self.encode_array(text[start : match.start()]), np.array([ids[match.group()]], dtype=np.uint32)]
            start = match.end()
        return np.concatenate([*parts, self.encode_array(text[start:])])
