from __future__ import annotations

import hashlib
import inspect
import json.decoder
import logging
import os
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.data import PythonDocs
from zoo.data.corpora import python_docs
from zoo.data.corpora.python_docs import docstrings_of, source_of

MODULE = b'''# coding: latin-1
"""Of the module.

    Indented."""

def outer():
    """Of outer."""
    def inner():
        """Of inner."""

if True:
    class Inside:
        "Of a class in a branch."
        async def method(self): "Of a method \xe9."
else:
    def other(): "Of the other branch."
try:
    pass
except ValueError:
    def handler(): "Of a handler."
def last(): return "not a docstring"
'''


def test_docstrings_come_cleaned_in_source_order() -> None:
    expected = [
        "Of the module.\n\nIndented.",
        "Of outer.",
        "Of inner.",
        "Of a class in a branch.",
        "Of a method é.",
        "Of the other branch.",
        "Of a handler.",
    ]
    assert docstrings_of(MODULE) == "\n\n".join(expected)


def test_source_is_decoded_as_it_declares() -> None:
    assert source_of(MODULE) == MODULE.decode("latin-1")


@pytest.fixture(scope="module")
def default_documents() -> list[str]:
    corpus = PythonDocs()
    documents = list(corpus.documents())
    assert corpus.skipped == {}
    return documents


def test_the_real_library_holds_what_help_prints(
    default_documents: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    pydoc.Helper().showtopic("for")
    printed = capsys.readouterr().out
    assert any(text.strip() in printed and "for_stmt ::=" in text for text in default_documents)
    (document,) = [text for text in default_documents if text.startswith("Implementation of JSONDecoder")]
    raw_decode = inspect.getdoc(json.decoder.JSONDecoder.raw_decode)
    assert document.index(inspect.getdoc(json.decoder.JSONDecoder) or "") < document.index(raw_decode or "")


def test_the_size_is_that_of_a_standard_library(default_documents: list[str]) -> None:
    assert 400 < len(default_documents) < 1500
    assert 1_000_000 < sum(len(text.encode()) for text in default_documents) < 10_000_000


def test_no_test_package_and_nothing_installed_by_pip() -> None:
    names = [python_docs._name(path) for path in PythonDocs()._modules()]
    assert "json/decoder.py" in names and "unittest/case.py" in names and "doctest.py" in names
    assert names == sorted(names) and len(set(names)) == len(names)
    for name in names:
        assert not {"site-packages", "dist-packages", "test", "tests", "idle_test"} & set(name.split("/")), name


def test_test_packages_by_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_library(tmp_path, monkeypatch)
    kinds = ["docstrings"]
    assert list(PythonDocs(kinds=kinds).documents()) == ["a.", "z."]
    assert list(PythonDocs(kinds=kinds, include_tests=True).documents()) == ["a.", "t.", "z."]


def test_a_module_that_is_no_python_is_skipped_counted_and_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _fake_library(tmp_path, monkeypatch)
    (tmp_path / "bad.py").write_text("print 'two'")
    (tmp_path / "half.py").write_text('"half of a pair: \\ud800"')
    (tmp_path / "latin.py").write_bytes(b'"\xe9"')
    corpus = PythonDocs(kinds=["docstrings"])
    with caplog.at_level(logging.WARNING):
        assert list(corpus.documents()) == ["a.", "z."]
    assert set(corpus.skipped) == {"bad.py", "half.py", "latin.py"}
    assert corpus.skipped["bad.py"].startswith("SyntaxError: ")
    assert corpus.skipped["half.py"].startswith("UnicodeEncodeError: ")
    assert "3 modules were skipped, as they cannot be read" in caplog.text
    assert len(corpus.notes()) == 3
    assert corpus.notes()[0].startswith("bad.py: skipped, as it cannot be read: SyntaxError: ")


def test_source_and_docstrings_do_not_repeat_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A docstring that stands in two documents could stand in two splits."""
    _fake_library(tmp_path, monkeypatch)
    assert list(PythonDocs(kinds=["docstrings", "source"]).documents()) == ['"a."', '"z."']


def test_the_prose_is_never_also_source() -> None:
    assert (python_docs._library() / "pydoc_data" / "topics.py").exists()
    assert "pydoc_data/topics.py" not in [python_docs._name(path) for path in PythonDocs(kinds=["source"])._modules()]


def test_the_fingerprint_follows_options_names_and_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_library(tmp_path, monkeypatch)
    prints = [PythonDocs(kinds=["docstrings"]).fingerprint(), PythonDocs(kinds=["source"]).fingerprint()]
    prints += [PythonDocs(kinds=["docstrings"], include_tests=True).fingerprint(), PythonDocs().fingerprint()]
    (tmp_path / "a.py").write_text('"b."')
    prints.append(PythonDocs(kinds=["docstrings"]).fingerprint())
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    prints.append(PythonDocs(kinds=["docstrings"]).fingerprint())
    assert len(set(prints)) == len(prints)


def test_the_order_of_kinds_is_no_difference() -> None:
    assert PythonDocs(kinds=["docstrings", "prose"]).fingerprint() == PythonDocs().fingerprint()


def test_two_processes_read_the_same() -> None:
    script = """
import hashlib
from zoo.data.corpora.python_docs import PythonDocs
every, PythonDocs._modules = PythonDocs().fingerprint(), lambda self, m=PythonDocs._modules: m(self)[::20]
print(every, hashlib.sha256("\\0".join(PythonDocs().documents()).encode()).hexdigest())
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, env=os.environ | {"PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2")
    ]
    outputs = [process.communicate()[0].split() for process in processes]
    assert len(outputs[0]) == 2 and outputs[0] == outputs[1]
    assert outputs[0][0].decode() == PythonDocs().fingerprint() != hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        (
            ["prose", "docstring"],
            r"^unknown kind 'docstring': expected any of prose, docstrings, source; did you mean 'docstrings'\?$",
        ),
        (["zzz"], "^unknown kind 'zzz': expected any of prose, docstrings, source$"),
        ("prose", "^kinds='prose': expected a list of any of prose, docstrings, source$"),
        ([], r"^kinds=\[\]: expected a list of any of prose, docstrings, source$"),
    ],
)
def test_kinds_that_are_none(kinds: list[str], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        PythonDocs(kinds=kinds)


def test_a_python_without_its_topics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(ValueError, match=r"has no pydoc_data.topics, the prose: install the whole standard library"):
        PythonDocs().fingerprint()


def _fake_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_docs, "_library", lambda: folder)
    for name in ("a", "z", "json/tests/t", "site-packages/s", "__pycache__/p"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.py").write_text(f'"{name[-1]}."')
