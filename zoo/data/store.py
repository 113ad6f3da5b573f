"""A corpus as tokens, made once: memory-mapped shards under a name that says exactly what they are.

    $ZOO_HOME/stores/<first 12 digits of the fingerprint>/
        train-00000.bin ...                 end-of-text, document 1, end-of-text, ..., document N, end-of-text
        train-document-ends.npy             int64 [N]: one past the end-of-text that closes document i
        train-document-bytes.npy            int64 [N]: UTF-8 bytes of document i
        train-document-sources.npy          uint16 [N]: number of its source
        train-lost-bits.npy                 float64 [N]: bits to spell what a lossy tokenizer lost in it
        (validation and test likewise)      byte-model.npy   tokenizer.json   meta.json: counts, sizes, hashes

In the train stream the documents of a source stand together. Validation and test have the documents of several sources
mixed, in the order of their hashes.

A store is built under a lock, in a folder beside its own, and renamed whole; opening it checks every size and hash.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.build import META, TOKENIZER, build_files, file_digest, meta_digest
from zoo.data.corpora.base import Corpus
from zoo.data.fingerprint import FORMAT_VERSION, store_fingerprint
from zoo.data.progress import Progress, as_progress
from zoo.data.split import DEFAULT_SHARES, SPLITS, Shares, Split, check_shares
from zoo.data.store_folder import fresh_folder, locked, put_in_place
from zoo.data.stream import TokenStream
from zoo.home import zoo_home
from zoo.tokenizers.base import Tokenizer

MAX_SHARD_TOKENS = 2**28
_NAME_DIGITS = 12


class DamagedStoreError(ValueError):
    """The files of a store are not those that were written."""


@dataclass(frozen=True)
class StoredSource:
    """A part of the train stream that training draws from on its own.

    Attributes:
        name: as the corpus calls it.
        weight: share of the training tokens; those of all sources sum to 1.
        start, stop: its tokens are [start, stop) of the train stream, from the end-of-text before its first document
            to the end-of-text after its last: neighbours share that one token.
    """

    name: str
    weight: float
    start: int
    stop: int


class TokenStore:
    """Tokens of every split, read on demand. `TokenStore.build_or_open(...)` gives one.

    Args:
        folder: of a store.
        tokenizer: of the class and options that the store was built with; takes over what was learned then.

    Attributes:
        folder: where it lies.
        tokenizer: trained.
        fingerprint: 64 hex digits.
        vocab_size: of the tokenizer.
        sources: parts of the train stream, in order.
        source_names: all sources of the corpus, by number, also those that are not trained on.
        notes: what the corpus did not pass on as it stood, and what the tokenizer could not do as asked, a line each.
        lost_bits_model: what the bits of lost text are counted with; None where nothing can be lost.

    Raises:
        DamagedStoreError: a file is missing, truncated or altered.
    """

    def __init__(self, folder: Path, tokenizer: Tokenizer):
        meta = _verified_meta(folder)
        tokenizer.load(folder / TOKENIZER)
        self.folder, self.tokenizer = folder, tokenizer
        self.fingerprint: str = meta["fingerprint"]
        self.vocab_size: int = meta["vocab_size"]
        self.sources = tuple(StoredSource(**source) for source in meta["sources"])
        self.source_names: tuple[str, ...] = tuple(meta["source_names"])
        self.notes: tuple[str, ...] = tuple(meta["notes"])
        self.lost_bits_model: str | None = meta["lost_bits"]
        self._counts = meta["splits"]
        dtype = np.dtype(meta["dtype"])
        self._streams = {split: TokenStream(folder, meta["shards"][split], dtype) for split in SPLITS}

    @classmethod
    def build_or_open(
        cls,
        corpus: Corpus,
        tokenizer: Tokenizer,
        shares: Shares = DEFAULT_SHARES,
        *,
        home: Path | None = None,
        rebuild: bool = False,
        progress: Progress | Callable[[str], Any] | None = None,
        max_shard_tokens: int = MAX_SHARD_TOKENS,
        num_jobs: int | None = None,
    ) -> TokenStore:
        """The store of a corpus under a tokenizer; built where it is not there yet.

        Args:
            corpus: documents.
            tokenizer: trained here, on the train split alone, or loaded from the store: the store's own afterwards.
            shares: of train, validation and test.
            home: holds `stores/`; by default `zoo_home()`.
            rebuild: build it again, also where it is there.
            progress: shows what is being done (`zoo.data.progress`), or a function that takes lines that say it.
            max_shard_tokens: size limit of a file, in tokens.
            num_jobs: processes, or threads, that encode; by default one per usable core. The files are the same.

        Raises:
            ValueError: the corpus cannot be read, a split is too small, the tokenizer does not do what it says, or the
                store that is there is damaged.
            OSError: there is no room for it, or a process that encodes died.
        """
        check_shares(shares)
        if num_jobs is not None and num_jobs < 1:
            raise ValueError(f"num_jobs={num_jobs} must be at least 1")
        fingerprint = store_fingerprint(corpus, tokenizer, shares)
        stores = (home or zoo_home()) / "stores"
        folder = stores / fingerprint[:_NAME_DIGITS]
        if folder.is_dir() and not rebuild:
            try:  # without the lock: the home may be read-only, and readers need not wait for each other
                return cls(folder, tokenizer)
            except DamagedStoreError:
                pass  # or someone is replacing it this moment: look again under the lock
        display = as_progress(progress)
        stores.mkdir(parents=True, exist_ok=True)
        with locked(stores, folder.name, display.say):
            if rebuild or not folder.is_dir():
                with fresh_folder(stores, folder.name) as temporary:
                    build_files(
                        temporary,
                        corpus,
                        tokenizer,
                        shares,
                        fingerprint=fingerprint,
                        max_shard_tokens=max_shard_tokens,
                        num_jobs=num_jobs or _usable_cores(),
                        progress=display,
                    )
                put_in_place(temporary, folder)
            return cls(folder, tokenizer)

    def num_tokens(self, split: Split) -> int:
        """Length of the stream: the documents' tokens, an end-of-text after each, and one before the first."""
        return self._counts[split]["num_tokens"]

    def num_bytes(self, split: Split) -> int:
        """UTF-8 bytes of the documents' text."""
        return self._counts[split]["num_bytes"]

    def num_documents(self, split: Split) -> int:
        return self._counts[split]["num_documents"]

    @property
    def bytes_per_token(self) -> float:
        """Mean text behind a token of the train split, end-of-text tokens included."""
        return self.num_bytes("train") / self.num_tokens("train")

    def tokens(self, split: Split, start: int, stop: int) -> np.ndarray:
        """Ids start ... stop - 1 of a split's stream: uint16 or uint32 [stop - start].

        Raises:
            ValueError: the range is not within the stream.
        """
        return self._streams[split].read(start, stop)

    def document_ends(self, split: Split) -> np.ndarray:
        """int64 [num_documents]: one past the end-of-text token that closes each document."""
        return np.load(self.folder / f"{split}-document-ends.npy")

    def document_bytes(self, split: Split) -> np.ndarray:
        """int64 [num_documents]: UTF-8 bytes of each document."""
        return np.load(self.folder / f"{split}-document-bytes.npy")

    def document_sources(self, split: Split) -> np.ndarray:
        """uint16 [num_documents]: number of each document's source, in `source_names`."""
        return np.load(self.folder / f"{split}-document-sources.npy")

    def lost_bits(self, split: Split) -> np.ndarray:
        """float64 [num_documents]: bits to spell what the tokenizer lost of each document (`zoo.data.byte_model`)."""
        if self.lost_bits_model is None:
            return np.zeros(self.num_documents(split))
        return np.load(self.folder / f"{split}-lost-bits.npy")


def _verified_meta(folder: Path) -> dict[str, Any]:
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        digest = meta["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, f"{META} is missing or unreadable") from error
    if digest != meta_digest(meta) or meta["format"] != FORMAT_VERSION:
        raise _damaged(folder, f"{META} is altered")
    for name, expected in meta["files"].items():
        try:
            short = expected["num_bytes"] - (folder / name).stat().st_size
        except FileNotFoundError as error:
            raise _damaged(folder, f"{name} is missing") from error
        if short:
            raise _damaged(folder, f"{name}: {abs(short)} bytes {'short' if short > 0 else 'too long'}")
        if file_digest(folder / name) != expected["sha256"]:
            raise _damaged(folder, f"{name} is altered")
    return meta


def _damaged(folder: Path, what: str) -> DamagedStoreError:
    return DamagedStoreError(f"store {folder} is damaged ({what}): rebuild it with `zoo data build RECIPE --rebuild`")


def _usable_cores() -> int:
    from zoo.ablation.engines.machine import usable_cores  # its package imports this module

    return usable_cores()
