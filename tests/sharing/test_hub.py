"""Sharing through the Hugging Face hub, against one on this machine: upload, and use at a commit."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_hub import FakeHub, fake_hub

import zoo
from zoo.cli import main
from zoo.files.hub import HubName

DIGIT = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
SMALL = {"steps": 2, "batch_size": 32, "threads": 1, "options": {"data.limit": 64}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, which tests only read."""
    path = tmp_path_factory.mktemp("runs") / "run"
    zoo.train("linear", out=path, **SMALL)
    return path


@pytest.fixture(scope="module")
def published(run: Path) -> dict[str, bytes]:
    """What was published of it, by name."""
    zoo.publish(run, run.parent / "published")
    return {path.name: path.read_bytes() for path in (run.parent / "published").iterdir()}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub, and a cache that is empty."""
    monkeypatch.chdir(tmp_path)
    with fake_hub(tmp_path / "cache", monkeypatch) as served:
        yield served


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the hub's client warns of itself
@pytest.mark.parametrize("large", [(), ("model.safetensors",)], ids=["inline", "apart"])
def test_what_is_uploaded_is_the_folder(run: Path, hub: FakeHub, large: tuple[str, ...]):
    """In one commit, large files apart; its name at that commit is returned, and loads what was published."""
    hub.large = large
    found = zoo.publish(run, "mine", to="hf:ada/digits")
    commit = hub.newest["ada/digits"]
    assert found["hub"] == f"hf:ada/digits@{commit}"
    assert hub.commits["ada/digits"][commit] == {path.name: path.read_bytes() for path in Path("mine").iterdir()}
    assert len(hub.commits["ada/digits"]) == 1
    assert zoo.load(found["hub"])(DIGIT) == zoo.load(run)(DIGIT)


def test_nothing_is_uploaded_unasked(run: Path, hub: FakeHub):
    """Nor is the hub asked for anything."""
    assert zoo.publish(run, "mine")["hub"] is None
    assert hub.asked == []


def test_the_command_says_how_to_load_it(run: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str]):
    """At the commit that was made."""
    assert main(["publish", str(run), "mine", "--to", "hf:ada/digits"]) == 0
    assert f"zoo.load('hf:ada/digits@{hub.newest['ada/digits']}')" in capsys.readouterr().out


def test_a_commit_is_fetched_once_and_then_needs_no_network(hub: FakeHub, published: dict[str, bytes]):
    """From the client's cache, in which every byte is verified again."""
    name = f"hf:ada/digits@{hub.commit('ada/digits', published)}"
    expected = zoo.load(name)(DIGIT)
    hub.asked.clear()
    assert zoo.load(name)(DIGIT) == expected
    assert hub.asked == []


def test_a_name_that_moves_is_resolved_and_recorded(hub: FakeHub, published: dict[str, bytes]):
    """Whoever begins with the newest commit has its name in the record, and goes on with it when another came."""
    commit = hub.commit("ada/digits", published)
    assert f"from 'hf:ada/digits@{commit}'" in repr(zoo.load("hf:ada/digits"))
    settings = {"steps": 2, "batch_size": 32, "threads": 1, "lr": 1e-9}
    options = {"data.limit": 64, "model.pretrained": "hf:ada/digits"}
    zoo.train("linear", options=options, out="tuned", **settings)
    assert tomllib.loads(Path("tuned/config.toml").read_text())["model"]["pretrained"] == f"hf:ada/digits@{commit}"
    state = json.loads(next(Path("tuned").glob("checkpoints/*/state.json")).read_text())
    assert (state["expects"]["source"], state["expects"]["head"]) == (f"hf:ada/digits@{commit}", "kept")
    hub.commit("ada/digits", {"README.md": b"another"})
    hub.asked.clear()
    assert zoo.evaluate("tuned")["samples"] == 64
    assert hub.asked == []


def test_the_commands_take_a_name(
    hub: FakeHub, run: Path, published: dict[str, bytes], capsys: pytest.CaptureFixture[str]
):
    """To predict, evaluate and reproduce."""
    from PIL import Image

    Image.fromarray(DIGIT).save("digit.png")
    name = f"hf:ada/digits@{hub.commit('ada/digits', published)}"
    assert main(["predict", name, "digit.png"]) == 0
    assert capsys.readouterr().out.split("\t")[1] == zoo.load(run)(DIGIT).label
    assert main(["evaluate", name, "--quiet"]) == 0
    assert "on 64 images" in capsys.readouterr().out
    assert main(["reproduce", name, "--quiet", "--out", "again"]) == 0
    assert capsys.readouterr().out.startswith(f"equal to the bit: all 2 tensors of {name}")


@pytest.mark.parametrize("file", ["model.safetensors", "zoo.toml", "MANIFEST.json"])
def test_a_byte_that_the_hub_changed_is_refused(hub: FakeHub, published: dict[str, bytes], file: str):
    """Before anything of it is parsed."""
    data = bytearray(published[file])
    data[len(data) // 2] ^= 1
    commit = hub.commit("ada/digits", {**published, file: bytes(data)})
    with pytest.raises(zoo.DamagedError, match=f"{file} is damaged"):
        zoo.load(f"hf:ada/digits@{commit}")


def test_what_is_not_there_is_told(hub: FakeHub, published: dict[str, bytes], capsys: pytest.CaptureFixture[str]):
    """A repository, a commit, and one that zoo did not publish: a line or two, exit code 2."""
    hub.commit("ada/digits", published)
    hub.commit("ada/other", {"model.safetensors": b"x"})
    for name, told in (
        ("hf:ada/none", "hf:ada/none: there is no such repository, or you may not see it"),
        (f"hf:ada/digits@{'0' * 40}", "the repository has no such commit, branch or tag"),
        ("hf:ada/digits@v2", "the repository has no such commit, branch or tag"),
        ("hf:ada/other", "zoo loads from the hub what 'zoo publish' wrote"),
    ):
        assert main(["evaluate", name]) == 2
        error = capsys.readouterr().err
        assert told in error
        assert error.count("\n") <= 2


def test_an_upload_that_is_not_allowed_leaves_the_folder(run: Path, hub: FakeHub, capsys: pytest.CaptureFixture[str]):
    """And says how to send it later."""
    hub.forbids = True
    assert main(["publish", str(run), "mine", "--to", "hf:ada/digits"]) == 2
    error = capsys.readouterr().err
    assert "the hub does not let you do that (403); 'hf auth login' signs in" in error
    assert "'hf upload ada/digits mine' sends it" in error
    assert zoo.load("mine").classes[0] == "0"


@pytest.mark.parametrize(
    "name", ["hf:", "hf:digits", "hf:ada/digits/more", "hf:ada/di gits", "hf:ada/digits@", "hf:../x", "hf:a--b/c"]
)
def test_a_malformed_name_is_one_line(run: Path, name: str, capsys: pytest.CaptureFixture[str]):
    """Nothing is written or asked."""
    for command in (["evaluate", name], ["predict", name, "x.png"], ["publish", str(run), "never", "--to", name]):
        assert main(command) == 2
        assert capsys.readouterr().err == (
            f"zoo: {name!r} names no repository on the hub; write hf:USER/NAME or hf:USER/NAME@COMMIT\n"
        )
    assert not Path("never").exists()


def test_an_upload_is_to_a_repository_and_not_to_a_commit(run: Path, capsys: pytest.CaptureFixture[str]):
    """The commit is made by it."""
    assert main(["publish", str(run), "never", "--to", f"hf:ada/digits@{'0' * 40}"]) == 2
    assert "--to names a repository, whose next commit is made: hf:ada/digits" in capsys.readouterr().err


def test_without_a_network_there_is_one_line(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """At once, and with exit code 1: nobody listens, or the client was told to stay offline."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    for offline in (False, True):
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
        for name in ("hf:ada/digits", f"hf:ada/digits@{'0' * 40}"):
            assert main(["evaluate", name]) == 1
            error = capsys.readouterr().err
            assert error.startswith(f"zoo: {name}: the hub cannot be reached (")
            assert error.count("\n") == 1
    assert main(["publish", str(run), str(tmp_path / "mine"), "--to", "hf:ada/digits"]) == 1
    assert "the hub cannot be reached (HF_HUB_OFFLINE is set)" in capsys.readouterr().err


def test_names_are_read_and_written_alike():
    """With a commit or without."""
    for text in ("hf:ada/digits", "hf:ada/digits@main", f"hf:ada-1/di.gits_2@{'0' * 40}"):
        assert str(HubName.parse(text)) == text
