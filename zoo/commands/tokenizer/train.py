"""`zoo tokenizer train`: learn a vocabulary and save it."""

from __future__ import annotations

import argparse
import inspect
import json
import sys

from zoo.commands.mistakes import free, one_line
from zoo.commands.tokenizer.compiling import say_if_compiling
from zoo.commands.tokenizer.corpora import of_recipe
from zoo.commands.tokenizer.files import GPT2_FILES, check_format, is_recipe, write_tokenizer
from zoo.commands.tokenizer.texts import Reading, learn, of_files, of_train_split
from zoo.data.progress import display
from zoo.recipe import RecipeError, load_recipe
from zoo.tokenizers import BPETokenizer, ByteTokenizer, CharTokenizer, Tokenizer, WordTokenizer
from zoo.tokenizers.base import END_OF_TEXT
from zoo.wording import listing

KINDS: dict[str, type[Tokenizer]] = {
    "bpe": BPETokenizer,
    "word": WordTokenizer,
    "char": CharTokenizer,
    "byte": ByteTokenizer,
}
FLAGS = {"vocab_size": "--vocab-size", "pattern": "--pattern", "tie_break": "--tie-break", "specials": "--special"}


def train(arguments: argparse.Namespace, overrides: list[str]) -> int:
    """Train a tokenizer on the train split of a recipe, or on files; save it, and say what came of it."""
    output = arguments.output
    in_folder = arguments.format == "gpt2" and output.is_dir()
    if arguments.format == "gpt2" and output.exists() and not in_folder:
        raise RecipeError([f"{output} is a file: --format gpt2 writes two, and expects the name of a folder"])
    for path in [output / name for name in GPT2_FILES] if in_folder else [output]:
        free(path, force=arguments.force)
    if any(is_recipe(source) for source in arguments.sources):
        tokenizer, reading = _from_recipe(arguments, overrides)
    else:
        tokenizer, reading = _from_files(arguments, overrides)
    check_format(tokenizer, arguments.format)
    with display(sys.stderr) as progress, one_line(""):
        say_if_compiling(tokenizer, "train", progress.say)
        seconds = learn(tokenizer, reading, progress)
    reading.notes += write_tokenizer(tokenizer, output, arguments.format)
    _report(tokenizer, reading, seconds, arguments)
    return 0


def _from_recipe(arguments: argparse.Namespace, overrides: list[str]) -> tuple[Tokenizer, Reading]:
    path, *others = arguments.sources
    if others:
        raise RecipeError([f"expected one recipe, or text files, got {' '.join(arguments.sources)}"])
    for name, flag in {"kind": "--kind", "errors": "--errors", **FLAGS}.items():
        if getattr(arguments, name) is not None:
            raise RecipeError([f"{flag}: {path} says what to train on; set its keys, as --data.tokenizer.vocab_size=N"])
    recipe = load_recipe(path, overrides)
    return recipe.built.data.tokenizer, of_train_split(of_recipe(recipe))


def _from_files(arguments: argparse.Namespace, overrides: list[str]) -> tuple[Tokenizer, Reading]:
    if overrides:
        raise RecipeError([f"--{overrides[0]}: only a recipe has such keys, and {arguments.sources[0]} is none"])
    cls = KINDS[arguments.kind or "bpe"]
    given = {name: value for name in FLAGS if (value := getattr(arguments, name)) is not None}
    takes = inspect.signature(cls).parameters
    for name in given:
        if name not in takes:
            known = listing(flag for name, flag in FLAGS.items() if name in takes)
            raise RecipeError([f"{FLAGS[name]}: a {cls.__name__} has no such option; it takes {known}"])
    if "specials" in given:
        given["specials"] = list(dict.fromkeys([END_OF_TEXT, *given["specials"]]))
    with one_line(""):
        tokenizer = cls(**given)
        return tokenizer, of_files(arguments.sources, tokenizer, arguments.errors or "strict")


def _report(tokenizer: Tokenizer, reading: Reading, seconds: float, arguments: argparse.Namespace) -> None:
    name, notes = type(tokenizer).__name__, [*reading.notes, *tokenizer.notes()]
    if arguments.json:
        facts = {
            "path": str(arguments.output),
            "tokenizer": name,
            "options": tokenizer.options,
            "vocab_size": tokenizer.vocab_size,
            "num_bytes": reading.num_bytes,
            "reading_seconds": reading.seconds,
            "training_seconds": seconds,
            "bytes_per_second": reading.num_bytes / seconds,
            "notes": notes,
        }
        print(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    print(f"{name}: {tokenizer.vocab_size:,} ids, learned from {reading.num_bytes:,} bytes")
    if reading.num_bytes:
        rate = reading.num_bytes / seconds / 1e6
        print(f"{seconds:.2f} s of training, {rate:,.1f} MB/s; {reading.seconds:.2f} s of reading")
    for note in notes:
        print(f"note: {note}")
    print(arguments.output)
