"""The name of a token store: a hash of everything that its tokens depend on."""

from __future__ import annotations

import hashlib
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING

import zoo
from zoo.data.corpora.base import Corpus
from zoo.data.split import Shares
from zoo.tokenizers.base import Tokenizer

if TYPE_CHECKING:
    from zoo.data.filters.base import Filter

FORMAT_VERSION = 2  # of the files of a store


def store_fingerprint(corpus: Corpus, tokenizer: Tokenizer, shares: Shares) -> str:
    """sha256, as 64 hex digits, over the corpus, its contents and the weights of its sources, the tokenizer's class,
    options and files, the split, the format, zoo's version, and the source of classes outside zoo.

    Raises:
        ValueError: an option of the tokenizer has no lasting text form, a file that it reads is missing, or a class
            outside zoo has no source file.
    """
    body = {
        "format": FORMAT_VERSION,
        "zoo": zoo.__version__,
        "corpus": class_key(corpus) | {"fingerprint": corpus.fingerprint(), "sources": corpus.sources()},
        "tokenizer": class_key(tokenizer)
        | {"options": lasting_options(tokenizer), "files": [_digest(path) for path in tokenizer.files()]},
        "shares": [float(share) for share in shares],
    }
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def class_key(value: object) -> dict[str, str]:
    """Which class made a value: its name, and outside zoo, whose version stands for its own, its source.

    Raises:
        ValueError: a class outside zoo has no source file.
    """
    cls = type(value)
    key = {"class": f"{cls.__module__}.{cls.__qualname__}"}
    if cls.__module__.split(".")[0] != "zoo":
        try:
            source = Path(inspect.getfile(cls)).read_bytes()
        except (OSError, TypeError) as error:
            raise ValueError(f"{key['class']} has no source file, so a store could not tell its versions") from error
        key["source"] = hashlib.sha256(source).hexdigest()
    return key


def lasting_options(component: Tokenizer | Filter) -> dict[str, object]:
    """Options that a hash can be made of.

    Raises:
        ValueError: one of them has no lasting text form.
    """
    for name, value in component.options.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{type(component).__name__}: {name}={value!r} is neither text, number, list nor mapping, so a store "
                f"could not be named by it"
            ) from error
    return component.options


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
