"""How corpora treat what they cannot pass on as it stands: refuse it at once, or count it and say so at the end."""

from __future__ import annotations

from collections import Counter
from typing import Literal, get_args

from zoo.wording import nearest

Errors = Literal["strict", "replace"]
BadLines = Literal["error", "skip"]

_REPLACEMENT = "\ufffd"


class RecordError(Exception):
    """A line or row that holds no document.

    Args:
        reason: what such lines have in common; they are counted by it.
        detail: what is wrong with this one; the reason, where None.
    """

    def __init__(self, reason: str, detail: str | None = None):
        super().__init__(detail or reason)
        self.reason = reason


class Reading:
    """One pass over a corpus: what to do about mistakes, and a count of each.

    Args:
        errors: bytes that are not UTF-8: `strict` refuses them, `replace` puts U+FFFD in their place and counts.
        bad_lines: lines and rows without a document: `error` refuses them, `skip` leaves them out and counts.

    Raises:
        ValueError: either is another word.
    """

    def __init__(self, errors: Errors = "strict", bad_lines: BadLines = "error"):
        for name, value, known in (("errors", errors, get_args(Errors)), ("bad_lines", bad_lines, get_args(BadLines))):
            if value not in known:
                raise ValueError(f"{name}={value!r}: expected {' or '.join(known)}{nearest(value, known)}")
        self.errors, self.bad_lines = errors, bad_lines
        self._skipped: Counter[str] = Counter()
        self._replaced: Counter[str] = Counter()
        self._empty = 0
        self._first: dict[str | None, str] = {}  # place of the first of each reason; None: of an empty document

    def decode(self, data: bytes, file: str) -> str:
        """Text of UTF-8 bytes; replacements are counted for the file.

        Raises:
            UnicodeDecodeError: the bytes are invalid, and errors are strict.
        """
        try:
            return data.decode()
        except UnicodeDecodeError:
            if self.errors == "strict":
                raise
        text = data.decode(errors="replace")
        # A decoder starts anew at every lead byte, so a U+FFFD that the file itself holds always stays one.
        self._replaced[file] += text.count(_REPLACEMENT) - data.count(_REPLACEMENT.encode())
        return text

    def bad(self, error: RecordError, where: str) -> None:
        """Count a bad record.

        Raises:
            ValueError: bad lines are an error.
        """
        if self.bad_lines == "error":
            raise ValueError(f"{where}: {error}") from error
        self._skipped[error.reason] += 1
        self._first.setdefault(error.reason, where)

    def empty(self, where: str) -> None:
        """Count a document without text."""
        self._empty += 1
        self._first.setdefault(None, where)

    def notes(self) -> list[str]:
        """A line for each reason to skip, each file with replacements, and empty documents, as they came up."""
        lines = [
            f"{_counted(count, 'record')} skipped: {reason} (first: {self._first[reason]})"
            for reason, count in self._skipped.items()
        ]
        lines += [
            f"{file}: U+FFFD in {_counted(count, 'place')} that were not UTF-8"
            for file, count in self._replaced.items()
        ]
        if self._empty:
            lines.append(f"{_counted(self._empty, 'empty document')} left out (first: {self._first[None]})")
        return lines


def first_line(error: BaseException) -> str:
    """What an error says, without the lines of context that some libraries add."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
