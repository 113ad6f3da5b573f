"""Text to train on and to measure on: of a recipe, or of files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo.data.corpora import Corpus, PythonDocs, TextFiles
from zoo.data.filters import FilteredCorpus
from zoo.data.progress import Progress
from zoo.data.split import MIN_DOCUMENTS, SPLITS, Shares, Split, check_sizes, document_digest, split_at
from zoo.data.spool import Spool
from zoo.recipe import Recipe

SHARES: Shares = (0.8, 0.1, 0.1)  # as recipes/base.yaml: at 0.05 a small corpus has too little to measure on
FILE_SHARES: Shares = (0.8, 0.2, 0.0)  # nothing is tested here, so that little text is enough
PASSAGE_CHARS = 2000


@dataclass(frozen=True)
class Source:
    """Text with a name.

    Attributes:
        name: of the corpus's class, or the files.
        corpus: filtered already.
        shares: of train, validation and test.
        may_cut: whether documents that are too few to split may be cut into passages.
    """

    name: str
    corpus: Corpus
    shares: Shares = SHARES
    may_cut: bool = False


def of_recipe(recipe: Recipe) -> Source:
    """What a recipe trains and validates on."""
    data = recipe.built.data
    corpus = FilteredCorpus(data.corpus, data.filters) if data.filters else data.corpus
    return Source(type(data.corpus).__name__, corpus, data.split)


def of_files(pattern: str) -> Source:
    """The files of a glob."""
    return Source(pattern, TextFiles(paths=[pattern]), FILE_SHARES, may_cut=True)


def embedded() -> Source:
    """The text that is always there, split as recipes/base.yaml does."""
    return Source(PythonDocs.__name__, PythonDocs())


def spool(source: Source, folder: Path, progress: Progress) -> tuple[dict[Split, Spool], list[str]]:
    """Read a source once into a file per split. Files of few documents, which a split by document would leave empty,
    are cut into passages.

    Args:
        folder: an empty one.

    Returns:
        The splits, and notes on what came out other than it stood.

    Raises:
        ValueError: the corpus cannot be read, or a split is too small.
    """
    with progress.stage(f"reading {source.name}") as advance:

        def read(cut: bool) -> dict[Split, Spool]:
            spools = {split: Spool(folder / f"{split}.utf8") for split in SPLITS}
            for document in source.corpus.documents():
                for text in passages(document) if cut else (document,):
                    data = text.encode()
                    digest = document_digest(data)
                    spools[split_at(digest, source.shares)].append(data, digest=digest)
                    advance(1, len(data))
            for split, each in spools.items():
                each.close()
                if split != "train":
                    each.sort()  # so that a prefix, which is what is measured, is of the whole corpus
            return spools

        spools = read(False)
        notes = source.corpus.notes()
        num_documents = sum(map(len, spools.values()))
        if source.may_cut and any(len(spools[s]) < MIN_DOCUMENTS for s in SPLITS[:2]):
            spools = read(True)
            num_passages = sum(map(len, spools.values()))
            notes.append(
                f"{source.name}: too few documents to hold some out ({num_documents:,}): cut at line ends into "
                f"{num_passages:,} passages, which were split."
            )
    check_sizes({s: len(spools[s]) for s in SPLITS}, {s: spools[s].num_bytes for s in SPLITS}, source.shares)
    return spools, notes


def passages(text: str) -> Iterator[str]:
    """A text in pieces of about PASSAGE_CHARS characters, cut behind line ends; joined, they are the text."""
    start = 0
    while start < len(text):
        place = text.find("\n", start + PASSAGE_CHARS)
        end = len(text) if place < 0 else place + 1
        yield text[start:end]
        start = end
