"""A corpus as tokens, made once: memory-mapped shards under a name that says exactly what they are.

    $ZOO_HOME/stores/<first 12 digits of the fingerprint>/
        train-00000.bin ...                 end-of-text, document 1, end-of-text, ..., document N, end-of-text
        train-document-ends.npy             int64 [N]: one past the end-of-text that closes document i
        train-document-bytes.npy            int64 [N]: UTF-8 bytes of document i
        (validation and test likewise)      tokenizer.json   meta.json: counts, sizes, hashes

A store is built under a lock, in a folder beside its own, and renamed whole; opening it checks every size and hash.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from zoo.data.build import META, TOKENIZER, build_files, file_digest, meta_digest, sync_path
from zoo.data.corpora.base import Corpus
from zoo.data.fingerprint import FORMAT_VERSION, store_fingerprint
from zoo.data.split import DEFAULT_SHARES, SPLITS, Shares, Split, check_shares
from zoo.data.stream import TokenStream
from zoo.home import zoo_home
from zoo.tokenizers.base import Tokenizer

MAX_SHARD_TOKENS = 2**28
_NAME_DIGITS = 12


class DamagedStoreError(ValueError):
    """The files of a store are not those that were written."""


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

    Raises:
        DamagedStoreError: a file is missing, truncated or altered.
    """

    def __init__(self, folder: Path, tokenizer: Tokenizer):
        meta = _verified_meta(folder)
        tokenizer.load(folder / TOKENIZER)
        self.folder, self.tokenizer = folder, tokenizer
        self.fingerprint: str = meta["fingerprint"]
        self.vocab_size: int = meta["vocab_size"]
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
        progress: Callable[[str], None] | None = None,
        max_shard_tokens: int = MAX_SHARD_TOKENS,
    ) -> TokenStore:
        """The store of a corpus under a tokenizer; built where it is not there yet.

        Args:
            corpus: documents.
            tokenizer: trained here, on the train split alone, or loaded from the store: the store's own afterwards.
            shares: of train, validation and test.
            home: holds `stores/`; by default `zoo_home()`.
            rebuild: build it again, also where it is there.
            progress: receives lines that say what is being done.
            max_shard_tokens: size limit of a file, in tokens.

        Raises:
            ValueError: the corpus cannot be read, a split is too small, or the store that is there is damaged.
        """
        check_shares(shares)
        fingerprint = store_fingerprint(corpus, tokenizer, shares)
        stores = (home or zoo_home()) / "stores"
        folder = stores / fingerprint[:_NAME_DIGITS]
        if folder.is_dir() and not rebuild:
            try:  # without the lock: the home may be read-only, and readers need not wait for each other
                return cls(folder, tokenizer)
            except DamagedStoreError:
                pass  # or someone is replacing it this moment: look again under the lock
        say = progress or (lambda line: None)
        stores.mkdir(parents=True, exist_ok=True)
        with _locked(stores, folder.name, say):
            if rebuild or not folder.is_dir():
                _sweep(stores, folder.name)
                temporary = stores / f".{folder.name}.new.tmp"
                temporary.mkdir()
                try:
                    build_files(
                        temporary,
                        corpus,
                        tokenizer,
                        shares,
                        fingerprint=fingerprint,
                        max_shard_tokens=max_shard_tokens,
                        progress=say,
                    )
                except BaseException:
                    shutil.rmtree(temporary)
                    raise
                _put_in_place(temporary, folder)
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
    return DamagedStoreError(f"store {folder} is damaged ({what}): rebuild it with `zoo data RECIPE --rebuild`")


@contextmanager
def _locked(stores: Path, name: str, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of one store. Its file stays: removing it would let two processes hold two locks."""
    lock = FileLock(stores / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"another process is building the store {name}: waiting")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _sweep(stores: Path, held: str) -> None:
    """Remove what killed builds left behind: of the store whose lock is held, and of all that nobody builds now."""
    for leftover in stores.glob(".*.tmp"):
        name = leftover.name.split(".")[1]
        if name == held:
            shutil.rmtree(leftover)
            continue
        try:
            with FileLock(stores / f"{name}.lock", timeout=0):
                shutil.rmtree(leftover, ignore_errors=True)
        except Timeout:
            pass  # it is being built


def _put_in_place(temporary: Path, folder: Path) -> None:
    """Rename a finished build to its name. A store of that name goes; its readers keep the files they have mapped."""
    if folder.exists():
        old = folder.with_name(f".{folder.name}.old.tmp")
        os.rename(folder, old)
        os.rename(temporary, folder)
        shutil.rmtree(old)
    else:
        os.rename(temporary, folder)
    sync_path(folder.parent)
