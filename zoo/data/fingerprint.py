"""The name of a token store: a hash of everything that its tokens depend on."""

from __future__ import annotations

import hashlib
import inspect
import json
from pathlib import Path

import zoo
from zoo.data.corpora.base import Corpus
from zoo.data.split import Shares
from zoo.tokenizers.base import Tokenizer

FORMAT_VERSION = 1  # of the files of a store


def store_fingerprint(corpus: Corpus, tokenizer: Tokenizer, shares: Shares) -> str:
    """sha256, as 64 hex digits, over the corpus and its contents, the tokenizer's class and options, the split, the
    format, zoo's version, and the source of classes outside zoo.

    Raises:
        ValueError: an option of the tokenizer has no lasting text form, or a class outside zoo has no source file.
    """
    body = {
        "format": FORMAT_VERSION,
        "zoo": zoo.__version__,
        "corpus": _class_key(corpus) | {"fingerprint": corpus.fingerprint()},
        "tokenizer": _class_key(tokenizer) | {"options": _lasting(tokenizer), "specials": list(tokenizer.specials)},
        "shares": [float(share) for share in shares],
    }
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _class_key(value: object) -> dict[str, str]:
    cls = type(value)
    key = {"class": f"{cls.__module__}.{cls.__qualname__}"}
    if cls.__module__.split(".")[0] != "zoo":
        try:
            source = Path(inspect.getfile(cls)).read_bytes()
        except (OSError, TypeError) as error:
            raise ValueError(f"{key['class']} has no source file, so a store could not tell its versions") from error
        key["source"] = hashlib.sha256(source).hexdigest()
    return key


def _lasting(tokenizer: Tokenizer) -> dict[str, object]:
    for name, value in tokenizer.options.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{type(tokenizer).__name__}: {name}={value!r} is neither text, number, list nor mapping, so a store "
                f"could not be named by it"
            ) from error
    return tokenizer.options
