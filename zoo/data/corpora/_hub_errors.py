"""What `HubDataset` says in a line where `datasets` says it in several, or not at all."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from zoo.wording import nearest

_LONGEST = 300  # characters of another library's message


@contextmanager
def one_line(what: str, place: Callable[[], str | None] = lambda: None) -> Iterator[None]:
    """Whatever `datasets` and the libraries below it raise, as a ValueError of one line about `what`.

    Args:
        what: opens the line.
        place: looks for what is wrong, with its file and line; None where it finds nothing. Called only then.
    """
    try:
        with _unsaid():
            yield
    except Exception as error:
        cause: BaseException = error
        while type(cause).__name__.startswith("DatasetGeneration") and cause.__cause__:
            cause = cause.__cause__  # these say that there was an error, their cause says which
        said = textwrap.shorten(str(cause), _LONGEST, placeholder=" ...")  # in one line
        found = place()
        at = "" if found is None else f"; {found}"
        raise ValueError(f"{what}: cannot be read: {type(cause).__name__}: {said}{at}") from error


@contextmanager
def _unsaid() -> Iterator[None]:
    """Keep `datasets` from printing the errors that it raises."""

    def below_errors(record: logging.LogRecord) -> bool:
        return record.levelno < logging.ERROR

    handlers = list(logging.getLogger("datasets").handlers)
    for handler in handlers:
        handler.addFilter(below_errors)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(below_errors)


def check_splits(split: str, known: Collection[str], what: str) -> list[str]:
    """Names of the splits that `train`, `train[:10%]` or `train+test` draws from.

    Raises:
        ValueError: one of them is not there.
    """
    names = [part.split("[")[0].strip() for part in split.split("+")]
    for name in names:
        if name not in known:
            raise ValueError(f"{what}: no split {name!r}; splits there: {', '.join(known)}{nearest(name, known)}")
    return names


def check_config(path: str, name: str | None, data_files: Sequence[str] | None, revision: str | None) -> None:
    """Look for a config after loading failed, and say nothing if that is not what failed.

    Raises:
        ValueError: there is no such config, or there are several and none was named.
    """
    import datasets

    try:
        known = datasets.get_dataset_config_names(path, revision=revision, data_files=data_files)
    except Exception:  # the reason that loading failed for too
        return
    if name is None and len(known) > 1:
        raise ValueError(f"{path}: expected the name of one of its configs: {', '.join(known)}")
    if name is not None and name not in known:
        raise ValueError(f"{path}: no config {name!r}; configs there: {', '.join(known)}{nearest(name, known)}")


def load_builder(path: str, name: str | None, data_files: Sequence[str] | None, **options: Any) -> Any:
    """A builder of `datasets`.

    Raises:
        ValueError: it cannot be made, in one line.
    """
    import datasets

    try:
        return datasets.load_dataset_builder(path, name, data_files=data_files, **options)
    except Exception as error:
        check_config(path, name, data_files, options.get("revision"))
        with one_line(path):
            raise error
