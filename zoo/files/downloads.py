"""Files from elsewhere: opened only if they are files, downloaded only if every byte is the expected one."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import os
import secrets
import stat
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zoo.errors import DamagedError, UsageError, ZooError
from zoo.progress_bar import ProgressBar

_CHUNK = 1 << 20
_ATTEMPTS = 3
_TIMEOUT = 30.0  # seconds without a byte
_STALE = 86_400.0  # seconds after which another process's unfinished file is nobody's any more
_PASSING = {408, 429, 500, 502, 503, 504}  # HTTP statuses that may be better in a moment


def data_folder(name: str) -> Path:
    """Return the folder in which a dataset keeps what it downloads, which need not exist yet.

    It is ``$ZOO_DATA/NAME``, else ``$XDG_CACHE_HOME/zoo/NAME``, else ``~/.cache/zoo/NAME``.
    """
    if chosen := os.environ.get("ZOO_DATA"):
        return Path(chosen).expanduser() / name
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "zoo" / name


def open_file(path: str | Path) -> io.BufferedReader:
    """Open a regular file for reading; a link to one is fine, a folder, a device or a pipe is not.

    Raises:
        UsageError: If there is no such file, or it is something else, or may not be read.
    """
    try:
        # Without O_NONBLOCK a pipe would be waited for, perhaps for ever, before it is seen to be one.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except ValueError as error:  # a zero byte in the name
        raise UsageError(f"cannot read {str(path)!r}: {error}") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise UsageError(f"{str(path)!r} is {'a folder, not a file' if stat.S_ISDIR(mode) else 'no regular file'}")
    return os.fdopen(descriptor, "rb")


def download(url: str, path: str | Path, *, sha256: str, max_bytes: int) -> Path:
    """Download a file, unless it is there already; either way its SHA-256 is checked before anything else reads it.

    The file appears under its name whole or not at all: it is written beside it, hashed, synced and renamed. Plain
    http is as good as https here, since the compulsory hash pins every byte; other schemes are refused, in redirects
    too. A passing fault (a time-out, a broken transfer, a busy server) is tried again, twice.

    Args:
        url: Where from, http or https.
        path: The file to write; its folder is made if need be.
        sha256: What its content must hash to, 64 hexadecimal digits.
        max_bytes: The most bytes to accept, whatever the server says.

    Returns:
        *path*.

    Raises:
        UsageError: If *url* is none that is downloaded, or *path* is no file.
        DamagedError: If the file that is there, or the one that came, has another hash.
        ZooError: If there is no network, the server refuses, the file is too large, or it cannot be written.
    """
    path = Path(path)
    _check_request(url, sha256)
    if os.path.lexists(path):
        return _present(path, sha256)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _part_of(path) as part:
            if (found := _fetch(url, part, path, max_bytes)) != sha256:
                raise DamagedError(
                    f"{url} has another content than expected: its SHA-256 is {found}, not {sha256}. It was not kept."
                )
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise ZooError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    return path


def sync_folder(folder: Path) -> None:
    """Make renames in *folder* survive a power cut, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_request(url: str, sha256: str) -> None:
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"only http and https addresses are downloaded, not {url!r}")
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise UsageError(f"a SHA-256 has 64 lower-case hexadecimal digits, not {sha256!r}")


def _present(path: Path, sha256: str) -> Path:
    if (found := sha256_of(path)) != sha256:
        raise DamagedError(
            f"{str(path)!r} is damaged or another file: its SHA-256 is {found}, not {sha256}. "
            "Delete it, and it is downloaded again."
        )
    return path


@contextlib.contextmanager
def _part_of(path: Path) -> Iterator[BinaryIO]:
    """Open a new file beside *path*, which is gone in the end unless it was renamed."""
    for stale in path.parent.glob(f".{path.name}.*.part"):
        with contextlib.suppress(OSError):
            if time.time() - stale.stat().st_mtime > _STALE:
                stale.unlink()
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("x+b") as file:
            yield file
    finally:
        part.unlink(missing_ok=True)


def _fetch(url: str, part: BinaryIO, path: Path, max_bytes: int) -> str:
    """Write what *url* holds to *part*, trying again where that may help, and return its SHA-256."""
    for attempt in range(_ATTEMPTS):
        part.seek(0)
        part.truncate()
        try:
            return _fetch_once(url, part, max_bytes)
        except (_NetworkError, http.client.HTTPException, ValueError) as error:
            if attempt == _ATTEMPTS - 1 or not getattr(error, "passing", True):
                raise ZooError(
                    f"could not download {url}: {error}. "
                    f"Without a network, place {path.name!r} in {str(path.parent)!r} by hand."
                ) from error
        time.sleep(0.5 * 2**attempt)
    raise AssertionError("unreachable")


class _NetworkError(Exception):
    """A fault of the network or the server, kept apart from those of the disk, which are OSErrors just the same."""

    def __init__(self, message: str, *, passing: bool) -> None:
        super().__init__(message)
        self.passing = passing


@contextlib.contextmanager
def _network_errors() -> Iterator[None]:
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        raise _NetworkError(
            f"the server answers {error.code} {error.reason}", passing=error.code in _PASSING
        ) from error
    except urllib.error.URLError as error:
        # No such host, or nobody listens there: offline, most likely, and waiting does not help.
        raise _NetworkError(str(error.reason), passing=isinstance(error.reason, TimeoutError)) from error
    except OSError as error:
        raise _NetworkError(str(error) or type(error).__name__, passing=True) from error


def _fetch_once(url: str, part: BinaryIO, max_bytes: int) -> str:
    digest, size = hashlib.sha256(), 0
    with contextlib.ExitStack() as stack:
        with _network_errors():
            response = stack.enter_context(_open_url(url))
        due = int(response.headers.get("Content-Length") or -1)
        if due > max_bytes:
            raise ZooError(f"{url} is {due:,} bytes long, more than the {max_bytes:,} expected; it was not downloaded")
        name = Path(urllib.parse.urlsplit(url).path).name
        bar = stack.enter_context(ProgressBar(name, due if due >= 0 else None, sys.stderr))
        while chunk := _read_chunk(response):
            size += len(chunk)
            if size > max_bytes:
                raise ZooError(f"{url} is longer than the {max_bytes:,} bytes expected; it was not kept")
            digest.update(chunk)
            part.write(chunk)
            bar.advance(len(chunk))
    if size < due:
        raise _NetworkError(f"the transfer broke off after {size:,} of {due:,} bytes", passing=True)
    return digest.hexdigest()


def _open_url(url: str) -> http.client.HTTPResponse:
    # An opener of our own: the usual one would follow redirects to ftp, and open file addresses.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    request = urllib.request.Request(url, headers={"User-Agent": "torch-zoo", "Accept-Encoding": "identity"})  # noqa: S310
    response: http.client.HTTPResponse = opener.open(request, timeout=_TIMEOUT)
    return response


def _read_chunk(response: http.client.HTTPResponse) -> bytes:
    with _network_errors():
        return response.read(_CHUNK)
