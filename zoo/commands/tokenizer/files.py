"""Files of tokenizers: zoo's own, and those of other packages, told apart by their name and what stands in them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.commands.tokenizer.compiling import merges
from zoo.commands.tokenizer.mistakes import existing, one_line
from zoo.recipe.errors import RecipeError
from zoo.tokenizers import BPETokenizer, Tokenizer, load_tokenizer
from zoo.tokenizers.base import END_OF_TEXT
from zoo.wording import listing

GPT2_FILES = ("vocab.json", "merges.txt")


def is_recipe(name: str | Path) -> bool:
    return Path(name).suffix.lower() in (".yaml", ".yml")


def open_tokenizer(path: Path, say: Callable[[str], Any]) -> Tokenizer:
    """The tokenizer of a file that zoo saved, a Hugging Face `tokenizer.json`, a tiktoken rank file named as its
    encoding, GPT-2's `vocab.json` with `merges.txt` beside it, or a folder that holds one of these.

    Args:
        say: is told what of the file is left out.

    Raises:
        RecipeError: there is no such file, or it holds no tokenizer.
    """
    existing(path)
    if is_recipe(path):
        raise RecipeError([f"{path} is a recipe: train it first, with zoo tokenizer train {path} -o tokenizer.json"])
    with one_line(str(path)), _said(say):
        if path.is_dir() and (path / "tokenizer.json").is_file():
            path = path / "tokenizer.json"
        if path.suffix == ".tiktoken":
            return _pretrained(path, format="tiktoken", encoding=_encoding(path))
        if path.is_dir() or path.name.endswith(GPT2_FILES[0]):
            return _pretrained(path, format="gpt2")
        specials = _specials_of_huggingface(path)
        if specials is None:
            return load_tokenizer(path)
        # any special token will do where the usual one is none of them: nothing here stands between documents
        end_of_text = END_OF_TEXT if END_OF_TEXT in specials or not specials else specials[0]
        return _pretrained(path, format="huggingface", end_of_text=end_of_text)


def check_format(tokenizer: Tokenizer, form: str) -> None:
    """Raises:
    RecipeError: a tokenizer of this class and pattern cannot be written so, whatever it learns.
    """
    if form == "zoo":
        return
    if not merges(tokenizer):
        raise RecipeError([f"--format {form}: a {type(tokenizer).__name__} is no byte-pair encoding: expected zoo"])
    if form == "gpt2" and isinstance(tokenizer, BPETokenizer) and tokenizer.pattern != "gpt2":
        raise RecipeError(
            [f"--format gpt2 means the pattern gpt2, got {tokenizer.pattern}: expected huggingface or zoo"]
        )


def write_tokenizer(tokenizer: Tokenizer, path: Path, form: str) -> list[str]:
    """Write a trained tokenizer.

    Args:
        path: of the file; for gpt2 of the folder of the two.
        form: zoo, huggingface, tiktoken or gpt2.

    Returns:
        What the format does not hold, a line each.

    Raises:
        RecipeError: the format cannot hold the tokenizer.
    """
    with one_line(str(path)):
        if form == "zoo":
            tokenizer.save(path)
            return []
        from zoo import interop

        if form == "huggingface":
            interop.write_huggingface(tokenizer, path)
        elif form == "gpt2":
            interop.write_gpt2(tokenizer, path)
        else:
            specials = interop.write_tiktoken(tokenizer, path)
            pattern = getattr(tokenizer, "pattern", None)
            return [f"a rank file does not hold its pattern, {pattern!r}, and special tokens, {json.dumps(specials)}"]
    return []


def _pretrained(path: Path, **options: Any) -> Tokenizer:
    from zoo.interop import PretrainedTokenizer

    tokenizer = PretrainedTokenizer(path=path, **options)
    tokenizer.train(())
    return tokenizer


def _encoding(path: Path) -> str:
    from zoo.interop import ENCODINGS

    if path.stem not in ENCODINGS:
        raise ValueError(
            f"a rank file holds neither pattern nor special tokens, and its name is none of {listing(ENCODINGS)}: name "
            f"them in a recipe, of zoo.interop.PretrainedTokenizer"
        )
    return path.stem


def _specials_of_huggingface(path: Path) -> list[str] | None:
    """The special tokens of a Hugging Face file; None where the file is no such."""
    try:
        body = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or "model" not in body:
        return None
    added = body.get("added_tokens")
    return [str(token.get("content")) for token in added or () if isinstance(token, dict)]


@contextmanager
def _said(say: Callable[[str], Any]) -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        say(f"note: {warning.message}")
