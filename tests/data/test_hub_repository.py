"""`HubDataset` and the hub: a hub of our own answers (`hub_double`), or none does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hub_double import serve

pytestmark = pytest.mark.slow  # several fresh interpreters

A, B = "a" * 40, "b" * 40
ROOT = Path(__file__).parents[2]
CASES: dict[str, dict[str, Any]] = {
    "main": {},
    "commit": {"revision": A},
    "stream": {"streaming": True},
    "validation": {"revision": A, "split": "validation"},
    "files": {"data_files": ["data/val*"]},
    "split": {"split": "vali"},
    "stream split": {"split": "vali", "streaming": True},
    "config": {"name": "en"},
    "revision": {"revision": "mian"},
    "name": {"path": "me/TinyTails"},
    "gated": {"path": "me/Gated"},
    "column": {"text_field": "txt", "streaming": True},
    "limit": {"streaming": True, "num_documents": 2},
}
SCRIPT = """
import json, sys, datasets
from zoo.data import HubDataset
datasets.disable_progress_bars()
found = {}
for name, options in json.loads(sys.argv[1]).items():
    corpus = HubDataset(**{"path": "me/TinyTales", **options})
    try:
        found[name] = [corpus.fingerprint(), list(corpus.documents()), list(corpus.documents())]
    except ValueError as error:
        found[name] = str(error)
print(json.dumps(found))
"""


def read(home: Path, address: str, cases: dict[str, dict[str, Any]], **environment: str) -> dict[str, Any]:
    """What a fresh process gets: the libraries read the hub's address when they are imported."""
    settings = {"HF_HOME": str(home), "HF_ENDPOINT": address, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(cases)],
        env={key: value for key, value in os.environ.items() if not key.startswith("HF_")} | settings,
        cwd=home,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])


def nobody() -> str:
    """An address that refuses: port 9 is reserved for discarding what it gets."""
    return "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hub")
    for commit, count in ((A, 3), (B, 5)):
        for split in ("train", "validation"):
            path = root / "me/TinyTales" / commit / f"data/{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pa.parquet.write_table(pa.table({"text": texts(split, commit, count)}), path)
    (root / "me/TinyTales/main").write_text(B)
    (root / "me/Gated").mkdir()
    (root / "me/Gated/gated").touch()
    return root


def texts(split: str, commit: str, count: int) -> list[str]:
    return [f"{split} {commit[0]} {i}" for i in range(count)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def online(hub: Path, home: Path) -> dict[str, Any]:
    with serve(hub) as (address, _):
        return read(home, address, CASES)


def test_documents_are_those_of_the_commit(online: dict[str, Any]) -> None:
    expected = {
        "main": texts("train", B, 5),
        "stream": texts("train", B, 5),
        "commit": texts("train", A, 3),
        "validation": texts("validation", A, 3),
        "files": texts("validation", B, 5),
        "limit": texts("train", B, 5)[:2],
    }
    assert {name: online[name][1] for name in expected} == expected
    assert {name: online[name][2] for name in expected} == expected


def test_the_fingerprint_names_commit_and_options_and_not_how_it_was_read(online: dict[str, Any]) -> None:
    assert online["main"][0] == online["stream"][0]
    names = ["main", "commit", "validation", "files", "limit"]
    assert len({online[name][0] for name in names}) == len(names)


@pytest.mark.parametrize(
    ("case", "error"),
    [
        ("split", "me/TinyTales: no split 'vali'; splits there: train, validation; did you mean 'validation'?"),
        ("stream split", "me/TinyTales: no split 'vali'; splits there: train, validation; did you mean 'validation'?"),
        ("config", "me/TinyTales: no config 'en'; configs there: default"),
        ("revision", "me/TinyTales: no revision 'mian' on the Hugging Face Hub"),
        ("name", "me/TinyTails: no such folder here, and no such dataset on the Hugging Face Hub, or a private one"),
        ("gated", "me/Gated: its owner grants access on request, and HF_TOKEN shows none"),
        ("column", "me/TinyTales: no column 'txt'; columns there: text; did you mean 'text'?"),
    ],
)
def test_mistakes_are_named_in_a_line(online: dict[str, Any], case: str, error: str) -> None:
    assert online[case] == error


def test_without_network_the_cache_serves_the_commits_it_holds(online: dict[str, Any], home: Path) -> None:
    offline = read(home, nobody(), {name: CASES[name] for name in ("commit", "validation", "main", "name", "files")})
    assert offline["commit"] == online["commit"]
    assert offline["validation"] == online["validation"]
    reached = (
        "no such folder here, and the Hugging Face Hub cannot be reached (ConnectError: [Errno 111] Connection refused)"
    )
    both = f"the cache holds config 'default' at revision '{A}' and config 'default' at revision '{B}'"
    own = "files of your own: zoo.data.TextFiles"
    assert offline["main"] == f"me/TinyTales: {reached}; {both}; {own}"  # which of them main is, only the hub knows
    assert offline["files"] == f"me/TinyTales, data_files ['data/val*']: {reached}; {both}; {own}"
    assert offline["name"].startswith(f"me/TinyTails: {reached}; the cache holds me/TinyTales; did you mean 'me/Tin")


def test_without_network_main_is_what_it_was_when_the_hub_was_last_asked(
    online: dict[str, Any], home: Path, tmp_path: Path
) -> None:
    shutil.copytree(home, tmp_path, dirs_exist_ok=True, symlinks=True)
    reference = tmp_path / "hub/datasets--me--TinyTales/refs/main"  # as every download of a file from main leaves it
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(A)
    assert read(tmp_path, nobody(), {"main": {}})["main"] == online["commit"]


def test_without_network_the_only_commit_is_main(hub: Path, tmp_path: Path) -> None:
    with serve(hub) as (address, _):
        online = read(tmp_path, address, {"main": {}})
    cases = {"main": {}, "stream": {"streaming": True}, "config": {"name": "en"}}
    offline = read(tmp_path, nobody(), cases, HF_HUB_OFFLINE="1")
    assert offline["main"] == offline["stream"] == online["main"]
    assert f"the cache holds config 'default' at revision '{B}'; files of your own" in offline["config"]


def test_without_network_and_copies_there_is_one_line(tmp_path: Path) -> None:
    found = read(tmp_path, nobody(), {"main": {}, "commit": {"revision": A, "streaming": True}})
    assert "cannot be reached" in found["main"] and "the cache holds no dataset" in found["main"]
    assert found["commit"].startswith(f"me/TinyTales, revision '{A}': no such folder here, and the Hugging Face Hub ")
    assert all("\n" not in error for error in found.values())


def test_a_hub_that_is_down_is_asked_once(hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets` itself tries for half a minute."""
    import hub_double

    monkeypatch.setattr(
        hub_double.Handler, "do_GET", lambda self: (self.asked.append(self.path), self._answer(503, b""))
    )
    with serve(hub) as (address, asked):
        found = read(tmp_path, address, {"main": {}})
    assert "the Hugging Face Hub cannot be reached (" in found["main"] and "503" in found["main"]
    assert [path for path in asked if "TinyTales" in path] == ["/api/datasets/me/TinyTales"]
