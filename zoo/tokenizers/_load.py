"""A saved tokenizer, rebuilt from its file alone."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from zoo.tokenizers._files import read_saved
from zoo.tokenizers.base import Tokenizer


def load_tokenizer(path: Path | str) -> Tokenizer:
    """The tokenizer that `Tokenizer.save` wrote to a file: class, options and what it learned. A class outside zoo is
    imported by the path that the file names.

    Raises:
        ValueError: the file is no saved tokenizer, is damaged, or names a class that is not there.
        OSError: the file cannot be read.
    """
    path = Path(path)
    body = read_saved(path)
    class_path, options = body.get("class_path"), body.get("options")
    if not isinstance(class_path, str) or not isinstance(options, dict):
        name = body["tokenizer"]
        raise ValueError(f"{path} does not say how its {name} was made: load it by {name}(...).load(path)")
    cls = _class(class_path, path)
    try:
        tokenizer = cls(**options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {cls.__name__} does not take its options: {error}") from None
    tokenizer.load(path)
    return tokenizer


def _class(class_path: str, path: Path) -> type[Tokenizer]:
    module, _, name = class_path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} holds a {class_path}, which cannot be imported: {error}") from None
    if not inspect.isclass(found) or not issubclass(found, Tokenizer) or inspect.isabstract(found):
        raise ValueError(f"{path} holds a {class_path}, which is no tokenizer")
    return found
