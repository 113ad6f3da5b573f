"""Files that others wrote: found, read, and named in every complaint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.wording import nearest


@contextmanager
def complaints_about(path: Path) -> Iterator[None]:
    """Puts the path in front of what a ValueError says."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def existing(path: Path) -> Path:
    """Raises:
    ValueError: there is no such file.
    """
    if not path.is_file():
        beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ValueError(f"{path}: no such file{nearest(path.name, beside)}")
    return path


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object of a file.

    Raises:
        ValueError: the file is something else, or a key of an object comes twice.
    """
    try:
        body = json.loads(path.read_bytes(), object_pairs_hook=_distinct)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from None
    if not isinstance(body, dict):
        raise ValueError(f"it holds a JSON {type(body).__name__}, expected an object")
    return body


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {key!r} comes twice")
    return found
