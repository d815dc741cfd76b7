"""A hub on this machine alone: what the Hugging Face client needs of one, to read repositories and to write them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest


@dataclass
class FakeHub:
    """Repositories in memory.

    Attributes:
        commits: Files by name, by commit, by repository.
        newest: The newest commit of each repository's main branch.
        asked: Methods and paths that were asked for.
        large: Names that are sent apart, as the hub wants large files.
        forbids: Whether it lets nobody write.
    """

    commits: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    newest: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    large: tuple[str, ...] = ()
    forbids: bool = False
    address: str = ""
    blobs: dict[str, bytes] = field(default_factory=dict)

    def commit(self, repository: str, files: dict[str, bytes]) -> str:
        """Add a commit with these files, and return its name."""
        known = self.commits.setdefault(repository, {})
        whole = {**known.get(self.newest.get(repository, ""), {}), **files}
        name = hashlib.sha1(f"{repository} {len(known)}".encode()).hexdigest()
        known[name], self.newest[repository] = whole, name
        return name


@contextlib.contextmanager
def fake_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """Serve a hub, to which the client in this process goes, with its cache in a folder of its own."""
    from huggingface_hub import constants

    hub = FakeHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(hub))
    hub.address = f"http://127.0.0.1:{server.server_port}"
    for name in ("ENDPOINT", "_HF_DEFAULT_ENDPOINT"):
        monkeypatch.setattr(constants, name, hub.address)
    template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr("huggingface_hub.file_download.HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler_of(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        do_GET = do_POST = do_PUT = do_HEAD

        def _answer(self) -> None:
            path = unquote(self.path.partition("?")[0])
            hub.asked.append((self.command, path))
            body = self._body()
            status, headers, answer = _answer_to(hub, self.command, path, body)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(answer)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(answer)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _answer_to(hub: FakeHub, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    parts = path.strip("/").split("/")
    if method == "POST":
        return _written(hub, parts, body)
    if method == "PUT":
        hub.blobs[parts[-1]] = body
        return 200, {}, b""
    if path == "/":
        return 200, {}, b""
    if parts[0] == "api":
        return _told_of(hub, "/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
    return _file(hub, "/".join(parts[:2]), parts[3], "/".join(parts[4:]))


def _json(value: Any, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _missing(code: str) -> tuple[int, dict[str, str], bytes]:
    return 404, {"X-Error-Code": code}, b""


def _told_of(hub: FakeHub, repository: str, revision: str) -> tuple[int, dict[str, str], bytes]:
    if repository not in hub.commits:
        return _missing("RepoNotFound")
    commit = hub.newest[repository] if revision == "main" else revision
    if commit not in hub.commits[repository]:
        return _missing("RevisionNotFound")
    files = [{"rfilename": name} for name in hub.commits[repository][commit]]
    return _json({"_id": "0", "id": repository, "sha": commit, "siblings": files})


def _file(hub: FakeHub, repository: str, commit: str, name: str) -> tuple[int, dict[str, str], bytes]:
    if repository not in hub.commits:
        return _missing("RepoNotFound")
    if commit not in hub.commits[repository]:
        return _missing("RevisionNotFound")
    data = hub.commits[repository][commit].get(name)
    if data is None:
        return _missing("EntryNotFound")
    return 200, {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": commit}, data


def _written(hub: FakeHub, parts: list[str], body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Answer what is asked to write a commit: make the repository, say how files are sent, take them."""
    if hub.forbids:
        return _json({"error": "You may not write here"}, 403)
    if parts[-1] == "create":
        asked = json.loads(body)
        hub.commits.setdefault(f"{asked['organization']}/{asked['name']}", {})
        return _json({"url": f"{hub.address}/{asked['organization']}/{asked['name']}"})
    if parts[-1] == "validate-yaml":
        return _json({})
    if parts[-1] == "batch":
        objects = json.loads(body)["objects"]
        actions = [{**each, "actions": {"upload": {"href": f"{hub.address}/blobs/{each['oid']}"}}} for each in objects]
        return _json({"transfer": "basic", "objects": actions})
    if parts[4] == "preupload":
        names = [file["path"] for file in json.loads(body)["files"]]
        modes = [
            {"path": name, "uploadMode": "lfs" if name in hub.large else "regular", "shouldIgnore": False}
            for name in names
        ]
        return _json({"files": modes})
    lines = [json.loads(line) for line in body.splitlines()]
    files = {
        line["value"]["path"]: base64.b64decode(line["value"]["content"]) for line in lines if line["key"] == "file"
    }
    files |= {line["value"]["path"]: hub.blobs[line["value"]["oid"]] for line in lines if line["key"] == "lfsFile"}
    repository = "/".join(parts[2:4])
    commit = hub.commit(repository, files)
    return _json({"success": True, "commitUrl": f"{hub.address}/{repository}/commit/{commit}", "commitOid": commit})
