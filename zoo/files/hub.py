"""Repositories on the Hugging Face hub, at one commit each: named, found, fetched and written.

All goes through the hub's own client, with its cache, its sign-in and its settings, such as ``HF_ENDPOINT``. It is
imported only where it is needed.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zoo.errors import UsageError, ZooError

PREFIX = "hf:"

_TIMEOUT = 15.0  # seconds
_SIGN_IN = "'hf auth login' signs in"
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_NAME = re.compile(rf"{PREFIX}(?P<repository>{_PART}/{_PART})(?:@(?P<revision>[\w./-]+))?")
_COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True)
class HubName:
    """A repository, perhaps at a commit.

    Attributes:
        repository: ``"user/name"``.
        revision: A commit, a branch or a tag; empty for the newest commit of the main branch.
    """

    repository: str
    revision: str = ""

    @classmethod
    def parse(cls, text: str) -> HubName:
        """Read ``hf:user/name`` or ``hf:user/name@revision``.

        Raises:
            UsageError: If it is none.
        """
        found = _NAME.fullmatch(text)
        if found is None or "--" in text or ".." in text:
            raise UsageError(f"{text!r} names no repository on the hub; write hf:USER/NAME or hf:USER/NAME@COMMIT")
        return cls(found["repository"], found["revision"] or "")

    def __str__(self) -> str:
        return f"{PREFIX}{self.repository}" + (f"@{self.revision}" if self.revision else "")

    @property
    def is_pinned(self) -> bool:
        """Whether it names a commit, so that it always means the same files."""
        return _COMMIT.fullmatch(self.revision) is not None

    @property
    def pinned(self) -> HubName:
        """The same at the commit that its revision means now.

        Raises:
            UsageError: If there is no such repository or revision.
            ZooError: If the hub cannot be asked.
        """
        if self.is_pinned:
            return self
        with _asking(self) as hub:
            return replace(self, revision=str(hub.model_info(self.repository, revision=self.revision or None).sha))

    def fetch(self, file: str) -> Path:
        """Return a file of the repository, from the client's cache or from the hub; nothing of it is verified.

        Args:
            file: Its name.

        Raises:
            UsageError: If there is no such repository, commit or file.
            ZooError: If it is not on this machine and the hub cannot be asked.
        """
        import huggingface_hub

        cached = huggingface_hub.try_to_load_from_cache(self.repository, file, revision=self.revision)
        if isinstance(cached, str):
            return Path(cached)
        with _asking(self) as hub:
            return Path(hub.hf_hub_download(self.repository, file, revision=self.revision))

    def write(self, folder: Path, files: Sequence[str], message: str) -> HubName:
        """Write files to the repository, which is made if it is missing, in one commit; return that.

        Args:
            folder: Where the files are.
            files: Their names.
            message: The commit's.

        Raises:
            UsageError: If that is not allowed.
            ZooError: If the hub cannot be asked, or refuses.
        """
        from huggingface_hub import CommitOperationAdd

        with _asking(self) as hub:
            hub.create_repo(self.repository, exist_ok=True)
            added = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(folder / name)) for name in files]
            found = hub.create_commit(self.repository, added, commit_message=message)
        return replace(self, revision=str(found.oid))


@contextlib.contextmanager
def _asking(name: HubName) -> Iterator[Any]:
    """Yield the hub's client, and say in a line what went wrong.

    The hub is asked once whether it is there: the client would ask ten times, in 50 seconds, each with a message of its
    own.
    """
    from huggingface_hub import HfApi, constants, errors, get_session, is_offline_mode

    try:
        if is_offline_mode():
            raise OSError("HF_HUB_OFFLINE is set")
        get_session().head(constants.ENDPOINT, timeout=_TIMEOUT)
    except Exception as error:
        raise ZooError(f"{name}: the hub cannot be reached ({_line(error)})") from error
    try:
        yield HfApi()
    except ZooError:
        raise
    except errors.GatedRepoError as error:
        raise UsageError(f"{name}: its owner lets nobody in unasked; ask on its page; {_SIGN_IN}") from error
    except errors.RepositoryNotFoundError as error:
        raise UsageError(f"{name}: there is no such repository, or you may not see it; {_SIGN_IN}") from error
    except errors.RevisionNotFoundError as error:
        raise UsageError(f"{name}: the repository has no such commit, branch or tag") from error
    except errors.EntryNotFoundError as error:
        raise UsageError(f"{name} has no such file: {_line(error)}") from error
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise UsageError(f"{name}: the hub does not let you do that ({status}); {_SIGN_IN}") from error
        raise ZooError(f"{name}: the hub refuses, or broke off: {_line(error)}") from error


def _line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:160]
