"""A vocabulary of byte-pair encoding at work: text to ids and back, however the vocabulary was come by."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.tokenizers._bpe_encode import Workspace, encode_cut, encode_text, encode_texts, new_workspace, with_room
from zoo.tokenizers._bpe_merge import MAX_SYMBOLS, Merges, pair_tables
from zoo.tokenizers._characters import PADDING, class_tables
from zoo.tokenizers._decode import Vocabulary, decode
from zoo.tokenizers._pretokens import Pretokens
from zoo.tokenizers._text import address_of, checked_ids, located, located_all, utf8
from zoo.tokenizers._word_ids import whole_words

_BATCH_BYTES = 2**18  # texts that go through compiled code in one call


class BPEModel:
    """Encodes and decodes with given merges.

    Args:
        pretokens: cuts text into the pieces that no merge crosses.
        tokens: bytes of each symbol: of the 256 bytes in order, then of what the merges make.
        ids: id of each symbol.
        left, right: symbols of each pair that merges, int64 [pairs].
        ranks: of these pairs; the lowest merges first. The first of equal pairs counts.
        products: symbol that the merges of a rank make, [ranks].
        special_ids: id of each special token.
        whole: as for `take_whole`: the words that merging does not make, and any others, for which it is quicker.

    Raises:
        ValueError: there are more symbols than the tables can hold.
    """

    def __init__(
        self,
        *,
        pretokens: Pretokens,
        tokens: Sequence[bytes],
        ids: NDArray[Any],
        left: NDArray[np.int64],
        right: NDArray[np.int64],
        ranks: NDArray[np.int64],
        products: NDArray[Any],
        special_ids: Mapping[str, int],
        whole: Mapping[bytes, int] | None = None,
    ):
        if len(tokens) > MAX_SYMBOLS or len(products) > MAX_SYMBOLS:
            raise ValueError(f"{max(len(tokens), len(products)):,} tokens: expected at most {MAX_SYMBOLS:,}")
        self.pretokens, self.tokens, self.special_ids = pretokens, list(tokens), dict(special_ids)
        self.ids = np.asarray(ids, dtype=np.uint32)
        byte_pairs, pairs = pair_tables(left, right, ranks)
        self._merges = Merges(byte_pairs, pairs, np.asarray(products, np.uint32), self.ids)
        self.vocabulary = Vocabulary.of(
            [*zip(self.ids.tolist(), self.tokens, strict=True)]
            + [(i, special.encode()) for special, i in self.special_ids.items()]
        )
        self._scanner = pretokens.scanner
        self.take_whole(whole or {})

    @property
    def vocab_size(self) -> int:
        """One more than the highest id."""
        return self.vocabulary.size

    def take_whole(self, words: Mapping[bytes, int]) -> None:
        """Words that are a token as they stand, with their ids; others than these are no longer."""
        self._whole = whole_words(words)
        self._workspaces: list[Workspace] = []

    def encode_pieces(self, pieces: Sequence[bytes]) -> NDArray[np.uint32]:
        """Ids of pieces of text that no merge crosses, one after the other."""
        return self._encode_cut(b"".join(pieces), np.cumsum([len(piece) for piece in pieces], dtype=np.int64))

    def encode(self, text: str) -> NDArray[np.uint32]:
        """Ids of a text.

        Raises:
            ValueError: the text holds a lone surrogate.
        """
        if self._scanner is None:
            data = utf8(text)
            return self._encode_cut(data, self.pretokens.ends(text, data))
        _kept, address, length = located(text)
        usual, workspace = self._workspace(length + PADDING)
        num_ids = encode_text(self._scanner, address, length, workspace.tables)
        found = workspace.ids[:num_ids].copy()
        self._workspaces.append(usual)
        return found

    def encode_arrays(self, texts: Sequence[str], num_threads: int) -> list[NDArray[np.uint32]]:
        """Ids of each text; the work leaves the interpreter's lock, so threads run side by side.

        Raises:
            ValueError: a text holds a lone surrogate.
        """
        if self._scanner is None:  # the expression runs under the lock
            return [self.encode(text) for text in texts]
        groups = _groups(texts)
        if num_threads == 1 or len(groups) == 1:
            return [ids for group in groups for ids in self._encode_group(group)]
        found: list[list[NDArray[np.uint32]]] = [[]] * len(groups)
        # What stands together has words in common, and each thread keeps its own: they begin far from each other.
        shares = [
            deque(range(i, j)) for i, j in pairwise(len(groups) * n // num_threads for n in range(num_threads + 1))
        ]

        def work(thread: int) -> None:
            while share := shares[thread] or max(shares, key=len):
                try:
                    i = share.popleft() if share is shares[thread] else share.pop()
                except IndexError:  # another thread was quicker
                    continue
                found[i] = self._encode_group(groups[i])

        with ThreadPoolExecutor(num_threads) as threads:
            list(threads.map(work, range(num_threads)))
        return list(chain.from_iterable(found))

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> bytes:
        """The bytes of ids.

        Raises:
            ValueError: they are no sequence of whole numbers, or one stands for nothing.
        """
        numbers = _as_array(ids)
        found = decode(self.vocabulary, numbers) if numbers is not None else 0
        if isinstance(found, int):
            checked_ids(ids, self.vocab_size)
            raise ValueError(f"id {ids[found]} stands for no token")
        return found

    def cut(self, text: str) -> int:
        """As `Tokenizer.cut`."""
        return self.pretokens.cut(text)

    def _encode_group(self, texts: Sequence[str]) -> list[NDArray[np.uint32]]:
        if len(texts) == 1:
            return [self.encode(texts[0])]
        _kept, addresses, lengths = located_all(texts)
        usual, workspace = self._workspace(int(lengths.sum()) + PADDING * len(texts))
        out_ends = np.empty(len(texts), dtype=np.int64)
        encode_texts(self._scanner, addresses, lengths, workspace.tables, out_ends)
        found = workspace.ids[: out_ends[-1]].copy()
        self._workspaces.append(usual)
        places = [0, *out_ends.tolist()]
        return [found[start:end] for start, end in pairwise(places)]

    def _encode_cut(self, data: bytes, ends: NDArray[np.int64]) -> NDArray[np.uint32]:
        """Ids of a text whose pieces end at `ends`."""
        usual, workspace = self._workspace(len(data) + PADDING)
        num_ids = encode_cut(address_of(data), len(data), ends, workspace.tables)
        found = workspace.ids[:num_ids].copy()
        self._workspaces.append(usual)
        return found

    def _workspace(self, num_bytes: int) -> tuple[Workspace, Workspace]:
        """One that no other thread has, to be given back; and the same with room for texts of so many bytes, each with
        its padding."""
        try:
            usual = self._workspaces.pop()
        except IndexError:
            usual = new_workspace(class_tables(), self._merges, self._whole)
        return usual, with_room(usual, num_bytes)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_workspaces": []}


def _groups(texts: Sequence[str]) -> list[list[str]]:
    """Texts in their order, in groups of about _BATCH_BYTES."""
    groups: list[list[str]] = []
    size = _BATCH_BYTES
    for text in texts:
        if size >= _BATCH_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(text)
        size += len(text) + PADDING
    return groups


def _as_array(ids: Sequence[int] | NDArray[Any]) -> NDArray[np.int64] | None:
    """The ids as numbers of one kind; None where they are not whole numbers in a row, or do not fit."""
    if isinstance(ids, np.ndarray):
        return ids.astype(np.int64, copy=False) if ids.dtype.kind in "iu" and ids.ndim == 1 else None
    try:
        return np.frombuffer(array("Q", ids), dtype=np.int64)  # three times as quick as numpy
    except (OverflowError, TypeError):
        return None
