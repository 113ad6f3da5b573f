"""Files of tokenizers: zoo's own, and those of other packages, told apart by their name and what stands in them."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.commands.mistakes import existing, one_line
from zoo.commands.tokenizer.compiling import merges
from zoo.recipe.errors import RecipeError
from zoo.tokenizers import BPETokenizer, Tokenizer, load_tokenizer
from zoo.tokenizers.base import END_OF_TEXT
from zoo.wording import listing

RANK_FLAGS = {"pattern": "--pattern", "encoding": "--encoding", "special_tokens": "--special-tokens"}
_FIRST_LINE_BYTES = 1024
GPT2_FILES = ("vocab.json", "merges.txt")


def is_recipe(name: str | Path) -> bool:
    return Path(name).suffix.lower() in (".yaml", ".yml")


def is_rank_file(path: Path) -> bool:
    """By its name, or by what its first line is: a token in base 64 and a rank."""
    if path.suffix == ".tiktoken" or not path.is_file():
        return path.suffix == ".tiktoken"
    with path.open("rb") as file:
        return re.match(rb"[A-Za-z0-9+/]+={0,2} [0-9]+\r?\n", file.read(_FIRST_LINE_BYTES)) is not None


def rank_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the command line says of a rank file, as `open_tokenizer` takes it.

    Raises:
        RecipeError: special tokens are no JSON object of ids.
    """
    given = {name: value for name in RANK_FLAGS if (value := getattr(arguments, name)) is not None}
    if (text := given.get("special_tokens")) is not None:
        try:
            specials = json.loads(text)
        except (ValueError, RecursionError):
            specials = None
        if not isinstance(specials, dict) or not all(type(i) is int for i in specials.values()):
            raise RecipeError([f"""--special-tokens {text}: expected JSON, as '{{"<|endoftext|>": 0}}'"""])
        given["special_tokens"] = specials
    return given


def flags_of(options: Iterable[str]) -> str:
    return listing(RANK_FLAGS[name] for name in options)


def open_tokenizer(
    path: Path,
    say: Callable[[str], Any],
    *,
    pattern: str | None = None,
    encoding: str | None = None,
    special_tokens: Mapping[str, int] | None = None,
) -> Tokenizer:
    """The tokenizer of a file that zoo saved, a Hugging Face `tokenizer.json`, a tiktoken rank file, GPT-2's
    `vocab.json` with `merges.txt` beside it, or a folder that holds one of these.

    Args:
        say: is told what of the file is left out.
        pattern, encoding, special_tokens: of a rank file, which does not say; without them its name is the encoding.

    Raises:
        RecipeError: there is no such file, it holds no tokenizer, or it is no rank file and is told what one needs.
    """
    existing(path)
    told = {"pattern": pattern, "encoding": encoding, "special_tokens": special_tokens}
    options = {name: value for name, value in told.items() if value is not None}
    if is_recipe(path):
        raise RecipeError([f"{path} is a recipe: train it first, with zoo tokenizer train {path} -o tokenizer.json"])
    if options and not is_rank_file(path):
        raise RecipeError([f"{path}: {flags_of(options)} is for rank files alone, and this is none"])
    with one_line(str(path)), _said(say):
        if path.is_dir() and (path / "tokenizer.json").is_file():
            path = path / "tokenizer.json"
        if is_rank_file(path):
            return _of_ranks(path, options)
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
    if form == "huggingface" and isinstance(tokenizer, BPETokenizer):
        from zoo.interop._hf_pattern import write_pattern

        with one_line(f"--format {form}"):
            write_pattern(tokenizer.pattern)
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
            pattern = getattr(tokenizer, "pattern", None) or "none"
            return [
                f"a rank file holds neither pattern nor special tokens: to read it, say --pattern "
                f"{shlex.quote(pattern)} --special-tokens {shlex.quote(json.dumps(specials, ensure_ascii=False))}"
            ]
    return []


def _pretrained(path: Path, **options: Any) -> Tokenizer:
    from zoo.interop import PretrainedTokenizer

    tokenizer = PretrainedTokenizer(path=path, **options)
    tokenizer.train(())
    return tokenizer


def _of_ranks(path: Path, options: dict[str, Any]) -> Tokenizer:
    from zoo.interop import ENCODINGS

    if not options.keys() & {"encoding", "pattern"}:
        if path.stem not in ENCODINGS:
            raise ValueError(
                f"a rank file holds neither pattern nor special tokens, and its name is none of {listing(ENCODINGS)}: "
                f"say --encoding NAME, or --pattern and --special-tokens as zoo tokenizer train printed them"
            )
        options = {"encoding": path.stem, **options}
    specials = options.get("special_tokens")
    if "encoding" not in options and not specials:
        raise ValueError(
            """a rank file with --pattern needs --special-tokens, too, at least one: as '{"<|endoftext|>": 0}'"""
        )
    # as of a Hugging Face file
    other = "encoding" not in options and specials and END_OF_TEXT not in specials
    end_of_text = next(iter(specials)) if specials and other else END_OF_TEXT
    return _pretrained(path, format="tiktoken", end_of_text=end_of_text, **options)


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
