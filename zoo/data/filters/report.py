"""What filters remove from a corpus, rule by rule, with examples: the table of `zoo data report`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.data.corpora.base import Corpus
from zoo.data.filters._sieve import Removed, Sieve
from zoo.data.filters.base import Filter
from zoo.data.progress import Progress, as_progress

if TYPE_CHECKING:
    from zoo.recipe import Recipe

SNIPPET_CHARS = 80
HEADINGS = ("filter", "rule", "documents dropped", "documents changed", "bytes removed", "share of bytes")
TEXT_COLUMNS = 2  # the others are numbers and stand at the right


@dataclass(frozen=True)
class FilterReport:
    """Attributes:
    rows: of every rule of every filter, in order; their bytes add up to those that did not go on.
    num_documents, num_bytes: of the corpus.
    kept_documents, kept_bytes: what the filters left.
    notes: of the corpus itself.
    """

    rows: list[Removed]
    num_documents: int
    num_bytes: int
    kept_documents: int
    kept_bytes: int
    notes: list[str]

    def to_markdown(self) -> str:
        """A GitHub table, under it the examples and the notes of the corpus."""
        cells = [[_escape(cell) for cell in (row.filter, row.rule)] + self._numbers(row) for row in self.rows]
        rule = [":---" if i < TEXT_COLUMNS else "---:" for i in range(len(HEADINGS))]
        table = ["| " + " | ".join(line) + " |" for line in (HEADINGS, rule, *cells)]
        kept = (
            f"Kept {self.kept_documents:,} of {self.num_documents:,} documents, {self.kept_bytes:,} of "
            f"{self.num_bytes:,} bytes ({_percent(self.kept_bytes, self.num_bytes)})."
        )
        examples = [
            f"- {row.filter}, {row.rule}: {_escape(snippet(text))}" for row in self.rows for text in row.examples
        ]
        parts = [table, [kept], examples, [f"- {_escape(note)}" for note in self.notes]]
        return "\n\n".join("\n".join(part) for part in parts if part) + "\n"

    def to_json(self) -> str:
        """{"rows": [...], "documents", "bytes", "kept_documents", "kept_bytes", "notes"}; examples as snippets."""
        rows = [
            {
                "filter": row.filter,
                "rule": row.rule,
                "documents_dropped": row.dropped,
                "documents_changed": row.changed,
                "bytes_removed": row.num_bytes,
                "share_of_bytes": row.num_bytes / self.num_bytes if self.num_bytes else 0.0,
                "examples": [snippet(text) for text in row.examples],
            }
            for row in self.rows
        ]
        body: dict[str, Any] = {"rows": rows, "documents": self.num_documents, "bytes": self.num_bytes}
        body |= {"kept_documents": self.kept_documents, "kept_bytes": self.kept_bytes, "notes": self.notes}
        return json.dumps(body, indent=1, ensure_ascii=False) + "\n"

    def _numbers(self, row: Removed) -> list[str]:
        counts = [f"{row.dropped:,}", f"{row.changed:,}", f"{row.num_bytes:,}"]
        return [*counts, _percent(row.num_bytes, self.num_bytes)]


def report(
    corpus: Corpus,
    filters: Sequence[Filter],
    *,
    examples: int = 3,
    progress: Progress | Callable[[str], Any] | None = None,
) -> FilterReport:
    """Pass a corpus through filters and say what each rule removed; nothing is stored.

    Args:
        examples: of each rule, at most.
        progress: is told how far it is.

    Raises:
        ValueError: the corpus cannot be read, or a filter does not do as `Filter` says.
    """
    sieve = Sieve(filters, max_examples=examples)
    with as_progress(progress).stage(f"filtering {type(corpus).__name__}") as advance:
        for _, text in corpus.labelled():
            before = sieve.num_bytes
            sieve.apply(text)
            advance(1, sieve.num_bytes - before)
    return FilterReport(
        rows=sieve.removed,
        num_documents=sieve.num_documents,
        num_bytes=sieve.num_bytes,
        kept_documents=sieve.kept_documents,
        kept_bytes=sieve.kept_bytes,
        notes=corpus.notes(),
    )


def run_report(
    recipe: Recipe,
    *,
    examples: int = 3,
    as_json: bool = False,
    progress: Progress | Callable[[str], Any] | None = None,
) -> str:
    """The report of a recipe's filters, as text to print.

    Raises:
        RecipeError: the recipe has no filters, its corpus cannot be read, or a filter does not do as it should.
    """
    from zoo.recipe.errors import RecipeError

    data = recipe.built.data
    if not data.filters:
        lines = [
            "data.filters: it is empty, so nothing is removed; try --data.filters=[GopherQuality], or zoo list filters"
        ]
        raise RecipeError(lines, recipe.name)
    try:
        found = report(data.corpus, data.filters, examples=examples, progress=progress)
    except (ValueError, OSError) as error:
        raise RecipeError([f"data: {error}"], recipe.name) from error
    return found.to_json() if as_json else found.to_markdown()


def snippet(text: str) -> str:
    """The beginning of a text in one line: what does not print is escaped."""
    cut = text[:SNIPPET_CHARS]
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
    return line + ("..." if len(text) > SNIPPET_CHARS else "")


def _escape(cell: str) -> str:
    return " ".join(cell.split()).replace("|", "\\|").replace("<", "&lt;")


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "-"
