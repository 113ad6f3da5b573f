"""A hub of one's own: the requests that `datasets` makes of huggingface.co, answered from a folder.

Serves `<root>/<namespace>/<name>/<commit>/...`; `main` is the commit named in `<root>/<namespace>/<name>/main`, and a
file `gated` there keeps everybody out.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit


class Handler(BaseHTTPRequestHandler):
    root: ClassVar[Path]
    asked: ClassVar[list[str]]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        if parts[:2] == ["api", "datasets"] and len(parts) >= 4:
            self._api("/".join(parts[2:4]), parts[4:])
        elif parts[0] == "datasets" and parts[3:4] == ["resolve"]:
            self._file("/".join(parts[1:3]), parts[4], "/".join(parts[5:]))
        else:
            self._answer(404, b"")

    do_HEAD = do_GET
    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing: a test says what matters."""

    def _api(self, repository: str, rest: list[str]) -> None:
        if not (self.root / repository).is_dir():
            return self._error("RepoNotFound")
        if (self.root / repository / "gated").exists():
            return self._error("GatedRepo", 403)
        kind, revision, *inside = rest or ["revision", "main"]
        commit = self._commit(repository, revision)
        if commit is None:
            return self._error("RevisionNotFound")
        if kind == "revision":
            return self._json({"id": repository, "sha": commit, "siblings": []})
        files = {path: self._entry(repository, commit, path) for path in self._paths(repository, commit)}
        if kind == "tree":
            below = "".join(f"{name}/" for name in inside)
            paths = [path for path in files if path.startswith(below)]
            if inside and not paths:
                return self._error("EntryNotFound")
            folders = {below + path[len(below) :].split("/")[0] for path in paths} - set(files)
            found = [files[path] for path in paths if "/" not in path[len(below) :]]
            return self._json(
                [*found, *({"type": "directory", "path": f, "oid": "0", "size": 0} for f in sorted(folders))]
            )
        if kind == "paths-info":
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            wanted = json.loads(body)["paths"] if body.startswith("{") else parse_qs(body)["paths"]
            folders = [path for path in wanted if any(file.startswith(f"{path}/") for file in files)]
            found = [files[path] for path in wanted if path in files]
            return self._json([*found, *({"type": "directory", "path": f, "oid": "0", "size": 0} for f in folders)])
        return self._error("EntryNotFound")

    def _file(self, repository: str, revision: str, path: str) -> None:
        commit = self._commit(repository, revision)
        file = self.root / repository / (commit or "") / path
        if commit is None or not file.is_file():
            return self._error("EntryNotFound" if commit else "RevisionNotFound")
        content, status, more = file.read_bytes(), 200, {}
        if span := self.headers.get("Range"):
            first, last = (int(place) if place else None for place in span.removeprefix("bytes=").split("-"))
            stop = len(content) if last is None else min(last + 1, len(content))
            status, more = 206, {"Content-Range": f"bytes {first}-{stop - 1}/{len(content)}"}
            content = content[first:stop]
        return self._answer(status, content, {"X-Repo-Commit": commit, "ETag": f'"{_object_id(file)}"', **more})

    def _commit(self, repository: str, revision: str) -> str | None:
        if revision == "main":
            revision = (self.root / repository / "main").read_text()
        return revision if (self.root / repository / revision).is_dir() else None

    def _paths(self, repository: str, commit: str) -> list[str]:
        folder = self.root / repository / commit
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

    def _entry(self, repository: str, commit: str, path: str) -> dict[str, object]:
        file = self.root / repository / commit / path
        return {"type": "file", "path": path, "size": file.stat().st_size, "oid": _object_id(file)}

    def _error(self, code: str, status: int = 404) -> None:
        self._answer(status, b"", {"X-Error-Code": code})

    def _json(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content)), "Accept-Ranges": "bytes"}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _object_id(file: Path) -> str:
    return hashlib.sha1(file.read_bytes()).hexdigest()


@contextmanager
def serve(root: Path) -> Iterator[tuple[str, list[str]]]:
    """(address, paths asked for so far) of a hub that runs meanwhile."""
    asked: list[str] = []
    handler = type("RootHandler", (Handler,), {"root": root, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
