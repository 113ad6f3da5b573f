"""The text around a place of a token store, token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from zoo.data.split import Split
from zoo.data.store import TokenStore

_CONTINUATION = bytes(range(0x80, 0xC0))  # bytes that begin no character


@dataclass(frozen=True)
class Token:
    """One token of a stream.

    Attributes:
        token: its place in the stream.
        id: of the vocabulary.
        text: what it stands for; of bytes that are not UTF-8 by themselves, `\\xNN`: as text that holds these four
            characters reads the same, `bytes` says which it is.
        bytes: what it stands for, in hexadecimal.
        document: number of its document in the split; None for the end-of-text before the first.
        span: (start, stop) in the document's UTF-8; None where the bytes of tokens do not add up to the document (a
            lossy tokenizer), and for end-of-text.
        closes: whether it is the end-of-text that closes the document.
    """

    token: int
    id: int
    text: str
    bytes: str
    document: int | None
    span: tuple[int, int] | None
    closes: bool


@dataclass(frozen=True)
class Place:
    """A token, and those around it.

    Attributes:
        split, token: where it is.
        document, source: that it belongs to; None for the end-of-text before the first.
        tokens: it and its neighbours, in order.
        text: theirs, without the parts of characters that stand at its ends.
    """

    split: Split
    token: int
    document: int | None
    source: str | None
    tokens: list[Token]
    text: str


def look(
    store: TokenStore, split: Split, *, at: int | None = None, document: int | None = None, context: int = 40
) -> Place:
    """What stands at a token, or at the first token of a document.

    Args:
        store: where.
        split: which of its streams.
        at: place of a token in the stream; by default the first of the first document.
        document: number of a document, instead.
        context: tokens to show on either side.

    Raises:
        ValueError: there is no such token or document, or the context is below 0.
    """
    ends = store.document_ends(split)
    if context < 0:
        raise ValueError(f"context={context}: expected 0 or more tokens on either side")
    if document is not None:
        if not len(ends):
            raise ValueError(f"the {split} split has no documents")
        if not 0 <= document < len(ends):
            raise ValueError(f"document {document} is not in the {split} split: expected 0 to {len(ends) - 1}")
        at = int(ends[document - 1]) if document else 1
    num_tokens = store.num_tokens(split)
    at = min(1, num_tokens - 1) if at is None else at
    if not 0 <= at < num_tokens:
        raise ValueError(f"token {at} is not in the {split} split: expected 0 to {num_tokens - 1}")
    tokens = list(_tokens(store, split, ends, max(0, at - context), min(num_tokens, at + context + 1)))
    found = next(token.document for token in tokens if token.token == at)
    source = None if found is None else store.source_names[int(store.document_sources(split)[found])]
    return Place(split, at, found, source, tokens, _running_text(tokens))


def _tokens(store: TokenStore, split: Split, ends: np.ndarray, start: int, stop: int) -> Iterator[Token]:
    if start == 0:
        yield _token(store, 0, int(store.tokens(split, 0, 1)[0]), None, None, False)
    sizes = store.document_bytes(split)
    first = int(np.searchsorted(ends, max(1, start), side="right"))
    for document in range(first, len(ends)):
        begin, end = int(ends[document - 1]) if document else 1, int(ends[document])
        if begin >= stop:
            return
        ids = store.tokens(split, begin, end)
        edges = _byte_edges(store, ids[:-1], int(sizes[document]))
        for place in range(max(begin, start), min(end, stop)):
            i, closes = place - begin, place == end - 1
            span = None if closes or edges is None else (int(edges[i]), int(edges[i + 1]))
            yield _token(store, place, int(ids[i]), document, span, closes)


def _byte_edges(store: TokenStore, ids: np.ndarray, num_bytes: int) -> np.ndarray | None:
    """Where each token begins in the document's bytes, and where the last ends; None where that cannot be told."""
    distinct, which = np.unique(ids, return_inverse=True)
    lengths = np.array([len(store.tokenizer.decode_bytes([int(i)])) for i in distinct], dtype=np.int64)
    edges = np.concatenate([[0], np.cumsum(lengths[which])]).astype(np.int64)
    return edges if store.lost_bits_model is None and edges[-1] == num_bytes else None


def _token(
    store: TokenStore, place: int, token_id: int, document: int | None, span: tuple[int, int] | None, closes: bool
) -> Token:
    data = store.tokenizer.decode_bytes([token_id])
    text = data.decode("utf-8", errors="backslashreplace")
    return Token(place, token_id, text, data.hex(), document, span, closes)


def _running_text(tokens: Sequence[Token]) -> str:
    """The text of neighbours. It is whole characters, but where a window cuts one: those parts are left out."""
    data = b"".join(bytes.fromhex(token.bytes) for token in tokens)
    return data.lstrip(_CONTINUATION).decode("utf-8", errors="ignore")
