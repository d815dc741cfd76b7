"""Opening and downloading files."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import sys
import time
from pathlib import Path

import loopback
import pytest

import zoo
from zoo.files.downloads import open_file

BODY = b"some bytes that are worth having" * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def fetch(url: str, path: Path, **changes) -> Path:
    return zoo.download(url, path, **{"sha256": SHA256, "max_bytes": len(BODY), **changes})


def test_a_file_is_downloaded_once(tmp_path):
    """The first call downloads, into a folder that it makes; the second finds the file and asks nobody."""
    path = tmp_path / "deep" / "down" / "data.bin"
    with loopback.serving(loopback.content(BODY)) as (url, asked):
        assert fetch(f"{url}/data.bin", path) == path
        assert fetch(f"{url}/data.bin", path) == path
    assert path.read_bytes() == BODY
    assert asked == ["/data.bin"]
    assert names(path.parent) == ["data.bin"]


def test_the_file_has_the_usual_permissions(tmp_path):
    """Others may read a shared cache as they may any new file."""
    (tmp_path / "usual").touch()
    with loopback.serving(loopback.content(BODY)) as (url, _):
        path = fetch(url, tmp_path / "data.bin")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_another_content_is_refused_and_not_kept(tmp_path):
    """A body with another hash leaves nothing behind, and the line names the address."""
    with loopback.serving(loopback.content(BODY[:-1] + b"!")) as (url, _):
        with pytest.raises(zoo.DamagedError, match="not kept") as caught:
            fetch(url, tmp_path / "data.bin")
        assert url in str(caught.value)
    assert not names(tmp_path)


def test_a_present_file_with_another_hash_is_damaged_and_stays(tmp_path):
    """What is there is the user's: it is named, not overwritten, and nothing is downloaded."""
    path = tmp_path / "data.bin"
    path.write_bytes(b"mine")
    with loopback.serving(loopback.content(BODY)) as (url, asked), pytest.raises(zoo.DamagedError, match="Delete it"):
        fetch(url, path)
    assert path.read_bytes() == b"mine"
    assert not asked


@pytest.mark.parametrize("announced", [True, False])
def test_a_file_above_the_limit_is_not_taken(tmp_path, announced):
    """Neither the server's word nor its silence about the length lets more bytes in than are expected."""

    def answer(request):
        request.send_response(200)
        if announced:
            request.send_header("Content-Length", str(len(BODY)))
        request.end_headers()
        request.wfile.write(BODY)

    with loopback.serving(answer) as (url, _), pytest.raises(zoo.ZooError, match="31,999"):
        fetch(url, tmp_path / "data.bin", max_bytes=len(BODY) - 1)
    assert not names(tmp_path)


def test_a_transfer_that_breaks_off_is_tried_again(tmp_path):
    """A short body, then a busy server, then the whole: the third attempt is kept, and nothing of the first."""
    attempts = iter(
        [
            lambda request: loopback.send(request, BODY[:100], length=len(BODY)),
            lambda request: loopback.send(request, b"busy", status=503),
            lambda request: loopback.send(request, BODY),
        ]
    )

    def answer(request):
        next(attempts)(request)

    with loopback.serving(answer) as (url, asked):
        assert fetch(url, tmp_path / "data.bin").read_bytes() == BODY
    assert len(asked) == 3


def test_a_transfer_that_always_breaks_off_ends_with_one_line(tmp_path):
    """Three attempts, then an error that says how far it came."""
    with loopback.serving(lambda request: loopback.send(request, BODY[:100], length=len(BODY))) as (url, asked):
        with pytest.raises(zoo.ZooError, match="broke off after 100 of 32,000 bytes"):
            fetch(url, tmp_path / "data.bin")
        assert len(asked) == 3
    assert not names(tmp_path)


def test_a_missing_file_is_not_asked_for_twice(tmp_path):
    """404 is final."""
    with loopback.serving(loopback.files({})) as (url, asked):
        with pytest.raises(zoo.ZooError, match="answers 404"):
            fetch(f"{url}/none", tmp_path / "data.bin")
        assert len(asked) == 1


def test_without_a_network_one_line_says_what_to_place_where(tmp_path):
    """Nobody listens: exit code 1, the address, the file's name and its folder, all in one line, at once."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/data.bin"
        with pytest.raises(zoo.ZooError, match=r"place 'data\.bin' in") as caught:
            fetch(url, tmp_path / "data.bin")
    message = str(caught.value)
    assert caught.value.exit_code == 1
    assert url in message
    assert repr(str(tmp_path)) in message
    assert "\n" not in message


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://example.org/a", "data:,abc", "/etc/hostname", ""])
def test_only_http_addresses_are_downloaded(tmp_path, url):
    """Local files and other protocols are wrong usage."""
    with pytest.raises(zoo.UsageError, match="only http and https") as caught:
        fetch(url, tmp_path / "data.bin")
    assert repr(url) in str(caught.value)


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/a"])
def test_a_redirect_to_another_protocol_is_not_followed(tmp_path, target):
    """A server cannot turn a download into a local file."""

    def answer(request):
        request.send_response(302)
        request.send_header("Location", target)
        request.end_headers()

    with loopback.serving(answer) as (url, _), pytest.raises(zoo.ZooError, match="could not download"):
        fetch(url, tmp_path / "data.bin")
    assert not names(tmp_path)


def test_a_redirect_to_http_is_followed(tmp_path):
    """Publishers move their files."""

    def answer(request):
        if request.path == "/old":
            request.send_response(301)
            request.send_header("Location", "/new")
            request.send_header("Content-Length", "0")
            request.end_headers()
        else:
            loopback.send(request, BODY)

    with loopback.serving(answer) as (url, asked):
        assert fetch(f"{url}/old", tmp_path / "data.bin").read_bytes() == BODY
    assert asked == ["/old", "/new"]


def test_a_hash_that_is_none_is_wrong_usage(tmp_path):
    """A shortened or empty hash would check nothing."""
    for sha256 in ("", SHA256[:8], SHA256.upper()):
        with pytest.raises(zoo.UsageError, match="64 lower-case"):
            fetch("http://127.0.0.1:9/a", tmp_path / "data.bin", sha256=sha256)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    """A file where a folder should be fails with the path and the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(zoo.ZooError, match="cannot write"):
        fetch("http://127.0.0.1:9/a", tmp_path / "file" / "data.bin")


def test_stale_parts_are_swept_and_fresh_ones_left(tmp_path):
    """What a killed download left behind goes with the next one; one that may be running stays."""
    stale, fresh = tmp_path / ".data.bin.00000000.part", tmp_path / ".data.bin.11111111.part"
    for part in (stale, fresh):
        part.touch()
    two_days_ago = time.time() - 2 * 86_400
    os.utime(stale, (two_days_ago, two_days_ago))
    with loopback.serving(loopback.content(BODY)) as (url, _):
        fetch(url, tmp_path / "data.bin")
    assert names(tmp_path) == [fresh.name, "data.bin"]


def test_the_content_is_synced_before_it_gets_its_name(tmp_path, monkeypatch):
    """Data, then the name, then the folder: a power cut never leaves the name with another content."""
    events = []
    fsync, replace = os.fsync, Path.replace
    kinds = {True: "folder", False: "file"}
    monkeypatch.setattr(
        os, "fsync", lambda fd: (events.append(f"sync {kinds[stat.S_ISDIR(os.fstat(fd).st_mode)]}"), fsync(fd))
    )
    monkeypatch.setattr(Path, "replace", lambda path, to: (events.append("rename"), replace(path, to))[1])
    with loopback.serving(loopback.content(BODY)) as (url, _):
        fetch(url, tmp_path / "data.bin")
    assert events == ["sync file", "rename", "sync folder"]


def test_the_data_folder_is_the_users_choice_or_the_cache(monkeypatch, tmp_path):
    """ZOO_DATA wins over XDG_CACHE_HOME, and that over the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ZOO_DATA", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert zoo.data_folder("kmnist") == tmp_path / ".cache" / "zoo" / "kmnist"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert zoo.data_folder("kmnist") == tmp_path / "xdg" / "zoo" / "kmnist"
    monkeypatch.setenv("ZOO_DATA", "~/data")
    assert zoo.data_folder("kmnist") == tmp_path / "data" / "kmnist"


def test_a_pipe_is_not_waited_for(tmp_path):
    """What is no regular file is refused at once, a pipe without a writer too."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(zoo.UsageError, match="no regular file"):
        open_file(tmp_path / "pipe")
    with pytest.raises(zoo.UsageError, match="no regular file"):
        open_file(Path("/dev/null"))


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_alone(tmp_path, monkeypatch, capsys, terminal):
    """A person sees the file's name and a bar; a pipe sees nothing."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with loopback.serving(loopback.content(BODY)) as (url, _):
        fetch(f"{url}/shown.bin", tmp_path / "data.bin")
    captured = capsys.readouterr()
    assert ("shown.bin" in captured.err) == terminal
    assert captured.out == ""
