"""Names of repositories on the hub, read and written without its client."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.errors import UsageError
from zoo.files.hub import HubName, _line

COMMIT = "0123456789abcdef0123456789abcdef01234567"
part = st.from_regex(r"\A[A-Za-z0-9_]([A-Za-z0-9_.-]{0,6}[A-Za-z0-9_])?\Z").filter(
    lambda text: "--" not in text and ".." not in text
)


@pytest.mark.parametrize(
    ("text", "repository", "revision", "pinned"),
    [
        ("hf:user/name", "user/name", "", False),
        ("hf:user/name@main", "user/name", "main", False),
        ("hf:user/name@refs/pr/1", "user/name", "refs/pr/1", False),
        ("hf:u/n@v1.0-rc", "u/n", "v1.0-rc", False),
        (f"hf:user/name@{COMMIT}", "user/name", COMMIT, True),
        (f"hf:user/name@{COMMIT[1:]}", "user/name", COMMIT[1:], False),
        (f"hf:user/name@{COMMIT}0", "user/name", f"{COMMIT}0", False),
        (f"hf:user/name@{COMMIT.upper()}", "user/name", COMMIT.upper(), False),
        ("hf:_a/b.c-d_e", "_a/b.c-d_e", "", False),
    ],
)
def test_a_name_is_a_repository_and_perhaps_a_commit(text: str, repository: str, revision: str, pinned: bool) -> None:
    """A branch or a tag moves; only a whole commit, in lower case, does not."""
    name = HubName.parse(text)
    assert (name.repository, name.revision, name.is_pinned) == (repository, revision, pinned)
    assert str(name) == text


@settings(max_examples=40)
@given(part, part, st.none() | st.from_regex(r"\A[A-Za-z0-9_]{1,6}\Z"))
def test_a_name_is_written_as_it_is_read(user: str, name: str, revision: str | None) -> None:
    """What a run records names the same repository."""
    text = f"hf:{user}/{name}" + (f"@{revision}" if revision else "")
    assert str(HubName.parse(text)) == text
    assert HubName.parse(str(HubName.parse(text))) == HubName.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hf:",
        "user/name",
        "hf:name",
        "hf:/name",
        "hf:user/",
        "hf:user/name/more",
        "hf:user/name@",
        "hf:-user/name",
        "hf:user/name-",
        "hf:user/.name",
        "hf:us--er/name",
        "hf:user/na..me",
        "hf:user/name@a..b",
        "hf:user/name@a b",
        "hf:us er/name",
        "hf:üser/name",
        "hf:user/name\n",
        "HF:user/name",
    ],
)
def test_what_is_no_name_is_told_with_what_is(text: str) -> None:
    """Nothing of it reaches the hub or a path of the cache."""
    with pytest.raises(UsageError) as caught:
        HubName.parse(text)
    assert str(caught.value) == f"{text!r} names no repository on the hub; write hf:USER/NAME or hf:USER/NAME@COMMIT"


def test_a_commit_is_itself_without_asking() -> None:
    """No network, and no client, is needed for what cannot move."""
    name = HubName("user/name", COMMIT)
    assert name.pinned is name


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("two\n lines"), "two lines"),
        (ValueError(), "ValueError"),
        (ValueError(" \n"), "ValueError"),
        (ValueError("x" * 200), "x" * 160),
    ],
    ids=["two lines", "nothing", "blank", "long"],
)
def test_what_the_client_says_is_a_short_line(error: Exception, text: str) -> None:
    """Its messages have paragraphs, with addresses."""
    assert _line(error) == text
