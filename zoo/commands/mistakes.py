"""A user's mistakes, said in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from zoo.recipe.errors import RecipeError
from zoo.wording import nearest

STREAMS = ("-", "/dev/stdin", "/dev/stdout", "/dev/stderr")


@contextmanager
def one_line(where: str, words: Mapping[str, str] | None = None) -> Iterator[None]:
    """Whatever a tokenizer or a corpus refuses, as the user's mistake.

    Args:
        where: opens the line.
        words: what Python calls something -> what the command does.

    Raises:
        RecipeError: instead of a ValueError.
    """
    try:
        yield
    except RecipeError:
        raise
    except ValueError as error:
        text = str(error)
        for word, ours in (words or {}).items():
            text = text.replace(word, ours)
        raise RecipeError([text if not where or text.startswith(where) else f"{where}: {text}"]) from error


def existing(path: Path) -> Path:
    """Raises:
    RecipeError: there is no such file; names the nearest in its folder.
    """
    if not path.exists():
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise RecipeError([f"{path}: no such file{nearest(path.name, names)}"])
    return path


def free(path: Path, *, force: bool) -> Path:
    """A place to write to. A device or a pipe, as /dev/null, is free always: nothing in it is replaced.

    Raises:
        RecipeError: its folder is not there, something lies there (a link that leads nowhere, too) and `force` is
            false, or it is a standard stream, which is for what the command says.
    """
    if str(path) in STREAMS or str(path.parent) in ("/dev/fd", "/proc/self/fd"):
        raise RecipeError([f"{path} is no file, and standard output is for the report: expected the name of a file"])
    if not path.parent.is_dir():
        raise RecipeError([f"{path}: there is no folder {path.parent}"])
    if path.is_dir():
        raise RecipeError([f"{path} is a folder: expected the name of a file"])
    if path.exists() and not path.is_file():
        return path
    if os.path.lexists(path) and not force:
        raise RecipeError([f"{path} is there already: --force replaces it"])
    return path


def picture(path: Path, *, force: bool) -> Path:
    """A place for a picture.

    Raises:
        RecipeError: its name does not end in .png, or as `free`.
    """
    if path.suffix.lower() != ".png" or not path.parent.is_dir():
        raise RecipeError([f"--plot {path}: expected the name of a .png file in a folder that is there"])
    return free(path, force=force)
