"""Where a file is broken, for `HubDataset`: `datasets` says what is wrong, and of which file not always."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.data.corpora._reading import Reading, RecordError
from zoo.data.corpora._source_file import SourceFile
from zoo.data.corpora._text_readers import Layout
from zoo.data.corpora.text_files import READERS, read_file


@dataclass(frozen=True)
class Broken:
    """What cannot be read.

    Attributes:
        where: file, line, and what is wrong, in a line.
        is_record: whether it is one record, and the others may be fine.
    """

    where: str
    is_record: bool


def first_broken(places: Sequence[str], text_field: str) -> Broken | None:
    """What the readers of `TextFiles` refuse first in these files; None where they refuse nothing.

    They read the files again, up to there: only an error is worth that.
    """
    for place in places:
        file = SourceFile.of(Path(os.path.relpath(place)))
        if file.format == ".json":  # one JSON for the whole file, or lines
            if _is_json(file):
                continue
            file = SourceFile(file.path, ".jsonl", file.compression)
        if file.format not in READERS:
            continue
        try:
            for _ in read_file(file, Layout(text_field, "\n"), _Strict()):
                pass
        except _BadRecordError as error:
            return Broken(str(error), True)
        except ValueError as error:
            return Broken(str(error), False)
    return None


class _BadRecordError(ValueError):
    """A record that could be skipped."""


class _Strict(Reading):
    def bad(self, error: RecordError, where: str) -> None:
        raise _BadRecordError(f"{where}: {error}")


def _is_json(file: SourceFile) -> bool:
    try:
        with file.open() as stream:
            json.load(stream)
    except (ValueError, RecursionError):
        return False
    except Exception:  # it cannot be read or decompressed, which the reader names
        return False
    return True
