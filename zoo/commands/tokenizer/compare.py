"""`zoo tokenizer compare`: several tokenizers on held-out text of one or more corpora."""

from __future__ import annotations

import argparse
import copy
import platform
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import zoo
from zoo.accounting.gemm_peak import cpu_name
from zoo.commands.mistakes import one_line, picture
from zoo.commands.tokenizer.compiling import COMPILING, WORKS, is_compiled, merges
from zoo.commands.tokenizer.corpora import Source, embedded, of_files, of_recipe, spool
from zoo.commands.tokenizer.files import flags_of, is_rank_file, is_recipe, open_tokenizer, rank_options
from zoo.data.progress import Progress, display
from zoo.data.split import Split
from zoo.data.spool import Spool
from zoo.recipe import Recipe, RecipeError, load_recipe
from zoo.report.tokenizer_measures import measure
from zoo.report.tokenizers import Comparison, TokenizerRow
from zoo.tokenizers import BPETokenizer, ByteTokenizer, CharTokenizer, Tokenizer, WordTokenizer

MEASURED_BYTES, WARM_UP_BYTES = 8_000_000, 2_000_000  # at most, from the front of the validation and the train split


@dataclass(frozen=True)
class Contender:
    """Attributes:
    name: in the table.
    tokenizer: trained already, or copied and trained on each corpus.
    is_trained: which of the two.
    """

    name: str
    tokenizer: Tokenizer
    is_trained: bool = False


def defaults() -> list[Contender]:
    """For who names nothing: one of each kind, byte-pair encoding in three sizes."""
    made: dict[str, Tokenizer] = {"byte": ByteTokenizer(), "char": CharTokenizer()}
    made["word 4096"] = WordTokenizer(vocab_size=4096)
    made |= {f"bpe {size}": BPETokenizer(vocab_size=size) for size in (1024, 4096, 16384)}
    return [Contender(name, tokenizer) for name, tokenizer in made.items()]


def compare(arguments: argparse.Namespace, overrides: list[str]) -> int:
    """Train where needed, measure, print the table; draw it where asked to."""
    if arguments.plot is not None:
        picture(arguments.plot, force=arguments.force)
    recipes = {name: load_recipe(name) for name in arguments.tokenizers if is_recipe(name)}
    reading = rank_options(arguments)
    if reading and not any(is_rank_file(Path(name)) for name in arguments.tokenizers):
        raise RecipeError([f"{flags_of(reading)} is for rank files alone, and no tokenizer here is one"])
    sources = _sources(arguments.corpus or [], recipes)
    rows: list[TokenizerRow] = []
    notes: list[str] = []
    with display(sys.stderr) as progress:
        contenders = _contenders(arguments.tokenizers, recipes, reading, progress) or defaults()
        if any(merges(each.tokenizer) for each in contenders) and not all(map(is_compiled, WORKS)):
            progress.say(COMPILING)
        for source in sources:
            with tempfile.TemporaryDirectory() as folder, one_line(source.name):
                spools, found = spool(source, Path(folder), progress)
                notes += [_about(source, spools), *found]
                rows += _measured(source, spools, contenders, notes, progress)
    elsewhere = [each.name for each in contenders if each.is_trained or each.tokenizer.files()]
    notes += [f"{name} was trained elsewhere: it may know the held-out text." for name in elsewhere]
    notes.append(f"Measured on: {cpu_name()}, zoo {zoo.__version__}, python {platform.python_version()}.")
    _show(Comparison(rows, arguments.d_model, list(dict.fromkeys(notes))), arguments)
    return 0


def _contenders(
    names: Sequence[str], recipes: Mapping[str, Recipe], reading: Mapping[str, Any], progress: Progress
) -> list[Contender]:
    stems = Counter(Path(name).stem for name in names)
    found = []
    for name in dict.fromkeys(names):
        short = Path(name).stem if stems[Path(name).stem] == 1 else name
        if name in recipes:
            found.append(Contender(short, recipes[name].built.data.tokenizer))
        else:
            options = reading if is_rank_file(Path(name)) else {}
            found.append(Contender(short, open_tokenizer(Path(name), progress.say, **options), is_trained=True))
    return found


def _sources(given: Sequence[str], recipes: Mapping[str, Recipe]) -> list[Source]:
    """The corpora that were named; else those of the recipes; else the embedded one. Each has a name of its own."""
    if given:
        named = {name: of_recipe(load_recipe(name)) if is_recipe(name) else of_files(name) for name in given}
    else:
        first: dict[str, str] = {}  # of several recipes with the same text
        for name, recipe in recipes.items():
            first.setdefault(repr([recipe.resolved["data"][key] for key in ("corpus", "filters", "split")]), name)
        named = {name: of_recipe(recipes[name]) for name in first.values()} or {"": embedded()}
    names = Counter(source.name for source in named.values())
    return [
        source if names[source.name] == 1 else replace(source, name=f"{source.name} of {Path(name).stem}")
        for name, source in named.items()
    ]


def _measured(
    source: Source,
    spools: Mapping[Split, Spool],
    contenders: Sequence[Contender],
    notes: list[str],
    progress: Progress,
) -> Iterator[TokenizerRow]:
    """A row per tokenizer; what training could not do goes to the notes."""
    texts = list(_front(spools["validation"], MEASURED_BYTES))
    warm_up = list(_front(spools["train"], WARM_UP_BYTES))
    for contender in contenders:
        tokenizer = contender.tokenizer
        if not contender.is_trained:
            tokenizer = copy.deepcopy(tokenizer)
            with progress.stage(f"training {contender.name}", f" on {spools['train'].num_bytes:,} bytes"):
                tokenizer.train(spools["train"])
            notes += [f"{contender.name}: {note}" for note in tokenizer.notes()]
        with progress.stage(f"measuring {contender.name}"):
            yield TokenizerRow(
                contender.name, source.name, tokenizer.lossless, measure(tokenizer, texts, warm_up=warm_up)
            )


def _front(spool: Spool, num_bytes: int) -> Iterator[str]:
    """The first documents, at least one, that have at most so many bytes together."""
    left = num_bytes
    for i, text in enumerate(spool):
        left -= spool.lengths[i]
        if i and left < 0:
            return
        yield text


def _about(source: Source, spools: Mapping[Split, Spool]) -> str:
    train, held_out = spools["train"], spools["validation"]
    measured = min(held_out.num_bytes, MEASURED_BYTES)
    upto = "" if measured == held_out.num_bytes else f"the first {measured / 1e6:.0f} MB of "
    return (
        f"{source.name}, fingerprint {source.corpus.fingerprint()[:12]}: trained on {train.num_bytes:,} bytes "
        f"({len(train):,} documents), measured on {upto}{held_out.num_bytes:,} bytes ({len(held_out):,} documents) of "
        f"the validation split, that training did not see."
    )


def _show(result: Comparison, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(result.to_json(), end="")
    else:
        result.grid().show(result.footer())
    if arguments.plot is not None:
        from zoo.report.tokenizer_plot import plot_comparison

        plot_comparison(result, arguments.plot)
        print(f"plot: {arguments.plot}", file=sys.stderr if arguments.json else sys.stdout)
