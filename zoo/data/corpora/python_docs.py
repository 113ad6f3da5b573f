"""English and Python that every machine has: the standard library of the interpreter that runs.

Source: Python's own documentation topics (`pydoc_data.topics`, what `help("for")` prints), docstrings and modules, by
the Python Software Foundation and contributors, PSF licence. About 2 MB by default; no download.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import io
import logging
import os
import platform
import sys
import sysconfig
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo.data.corpora.base import Corpus
from zoo.wording import nearest

KINDS = ("prose", "docstrings", "source")
_TEST_PACKAGES = frozenset({"test", "tests", "idle_test"})  # some distributions leave them out, so we do
_NOT_THE_LIBRARY = frozenset({"site-packages", "dist-packages", "__pycache__"})
_TOPICS_FILE = "pydoc_data/topics.py"  # one literal that holds the prose: read as prose, never as source

_BLOCKS = ("body", "handlers", "cases", "orelse", "finalbody")  # where statements hold statements, in source order

logger = logging.getLogger(__name__)


class PythonDocs(Corpus):
    """Text of the running interpreter's standard library.

    Args:
        kinds: any of `prose` (a document per topic of the language reference), `docstrings` (a document per module:
            all its docstrings in source order, cleaned, a blank line between) and `source` (a document per module: the
            file). A source holds its docstrings: with both kinds they are not repeated, as a copy could fall into
            another split than its source.
        include_tests: also the library's test packages.

    Attributes:
        skipped: modules that the last complete `documents()` could not read, with the reason.

    Raises:
        ValueError: a kind is not known, or none is given.
    """

    skipped: dict[str, str]

    def __init__(self, *, kinds: Sequence[str] = ("prose", "docstrings"), include_tests: bool = False):
        if isinstance(kinds, str) or not kinds:
            raise ValueError(f"kinds={kinds!r}: expected a list of any of {', '.join(KINDS)}")
        for kind in kinds:
            if kind not in KINDS:
                raise ValueError(f"unknown kind {kind!r}: expected any of {', '.join(KINDS)}{nearest(kind, KINDS)}")
        self.kinds = tuple(kind for kind in KINDS if kind in kinds)
        self.include_tests = include_tests
        self.skipped = {}

    def documents(self) -> Iterator[str]:
        skipped: dict[str, str] = {}
        if "prose" in self.kinds:
            yield from _topics().values()
        read = source_of if "source" in self.kinds else docstrings_of
        for path in self._modules() if self.kinds != ("prose",) else ():
            try:
                text = read(path.read_bytes())
                text.encode()
            except (SyntaxError, ValueError) as error:  # UnicodeError is a ValueError
                skipped[_name(path)] = f"{type(error).__name__}: {error}"
                continue
            if text:
                yield text
        self.skipped = skipped
        if skipped:
            logger.warning("%d modules were skipped, as they cannot be read: %s", len(skipped), skipped)

    def notes(self) -> list[str]:
        return [f"{name}: skipped, as it cannot be read: {reason}" for name, reason in self.skipped.items()]

    def fingerprint(self) -> str:
        python = f"{platform.python_implementation()} {platform.python_version()}"
        digest = hashlib.sha256(repr((python, self.kinds, self.include_tests)).encode())
        if "prose" in self.kinds:
            digest.update(repr(list(_topics().items())).encode())
        for path in self._modules() if self.kinds != ("prose",) else ():
            digest.update(_name(path).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def _modules(self) -> list[Path]:
        """Files of the library, sorted by their path within it."""
        outside = _NOT_THE_LIBRARY if self.include_tests else _NOT_THE_LIBRARY | _TEST_PACKAGES
        found = []
        for folder, subfolders, files in os.walk(_library()):
            subfolders[:] = [name for name in subfolders if name not in outside]
            found += [Path(folder, name) for name in files if name.endswith(".py")]
        return sorted((path for path in found if _name(path) != _TOPICS_FILE), key=_name)


def docstrings_of(module: bytes) -> str:
    """Docstrings of a module's source, in source order, cleaned by `inspect.cleandoc`, a blank line between.

    Raises:
        SyntaxError, ValueError: it is not Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own escapes are no news to who trains on it
        tree = ast.parse(module)
    return "\n\n".join(_docstrings(tree))


def source_of(module: bytes) -> str:
    """A module's source as text, in the encoding that it declares.

    Raises:
        SyntaxError, ValueError: it is not in that encoding.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(module).readline)
    return module.decode(encoding)


def _docstrings(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and (
        text := ast.get_docstring(node, clean=True)
    ):
        yield text
    for block in _BLOCKS:
        for child in getattr(node, block, ()):
            yield from _docstrings(child)


def _topics() -> dict[str, str]:
    try:
        topics = importlib.import_module("pydoc_data.topics").topics
    except ImportError as error:
        raise ValueError(
            f"PythonDocs: {sys.executable} has no pydoc_data.topics, the prose: install the whole standard library, "
            f"or leave `prose` out of kinds"
        ) from error
    return {name: topics[name] for name in sorted(topics)}


@functools.cache
def _library() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def _name(path: Path) -> str:
    return path.relative_to(_library()).as_posix()
