"""What a build shows: lines for a function or a file, bars on a terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from data_doubles import HALVES, Bytes, ListCorpus, sample_texts

from zoo.data import TokenStore
from zoo.data.progress import LineProgress, display

TEXTS = sample_texts()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_say_how_far_a_stage_is() -> None:
    lines: list[str] = []
    progress = LineProgress(lines.append, every_seconds=0)
    with progress.stage("encoding train", ": 3 documents", total_bytes=8) as advance:
        advance(1, 2)
        advance(2, 6)
    with progress.stage("reading Corpus") as advance:
        advance(1200, 10**6)
    progress.say("done")
    assert lines == [
        "encoding train: 3 documents",
        "encoding train: 25%",
        "encoding train: 100%",
        "reading Corpus",
        "reading Corpus: 1,200 documents",
        "done",
    ]


def test_lines_come_at_intervals() -> None:
    lines: list[str] = []
    with LineProgress(lines.append, every_seconds=3600).stage("reading") as advance:
        for _ in range(100):
            advance(1, 1)
    assert lines == ["reading"]


def test_a_file_gets_lines(tmp_path: Path) -> None:
    stream = io.StringIO()
    with display(stream) as progress:
        TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path, progress=progress)
    assert stream.getvalue().startswith("reading ListCorpus\ntraining Bytes on ")
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_a_bar_for_each_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    with display(stream) as progress:
        store = TokenStore.build_or_open(ListCorpus(TEXTS), Bytes(), HALVES, home=tmp_path, progress=progress)
        progress.say("a [line] that stays")
    shown = stream.getvalue()
    for stage in ("reading ListCorpus", "training Bytes", "encoding train", "encoding validation", "encoding test"):
        assert stage in shown
    assert f"{store.num_documents('test')} documents, {store.num_bytes('test') / 1e6:.1f} MB" in shown
    assert "━" in shown and "a [line] that stays" in shown


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with display(Terminal()) as progress:
        assert isinstance(progress, LineProgress)
