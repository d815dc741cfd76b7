"""The page about serving: its two programs, on the loopback."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from PIL import Image

import zoo

pytestmark = pytest.mark.extras

PAGE = Path(__file__).parents[2] / "docs/how-to/serve.md"
SECONDS = 120  # that the server may take to start


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's programs, a model and some digits."""
    folder = tmp_path_factory.mktemp("serve")
    for name, code in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        (folder / name).write_text(code, encoding="utf-8")
    settings = {"steps": 4, "batch_size": 64, "threads": 1, "precision": "fp32"}
    run = zoo.train("mlp/linear", out=folder / "run", options={"data.limit": 300}, **settings)
    zoo.export(run, out=folder / "model.onnx")
    for place, image in enumerate(zoo.create("datasets", "mnist").test.batch(torch.arange(12))[0]):
        Image.fromarray(image[0].numpy()).save(folder / f"{place:02}.png")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """The server, once it answers."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    log = (folder / "log").open("w")
    server = subprocess.Popen([sys.executable, "serve.py", str(port)], cwd=folder, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(SECONDS * 5):
            assert server.poll() is None, (folder / "log").read_text()
            try:
                urllib.request.urlopen(f"{address}/health").close()
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def test_the_server_says_what_zoo_predict_says(folder: Path, address: str):
    """Asked by the page's other program, by several at once, which it answers in batches."""
    files = sorted(folder.glob("*.png"))

    def ask(some: list[Path]) -> list[str]:
        command = [sys.executable, "ask.py", address, *[file.name for file in some]]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + (folder / "log").read_text()
        return done.stdout.splitlines()

    with ThreadPoolExecutor(3) as pool:
        said = [line.split("\t") for part in pool.map(ask, (files[:4], files[4:8], files[8:])) for line in part]
    own = zoo.predict(folder / "run", files)
    assert [(name, label) for name, label, _ in said] == [(Path(each.image).name, each.label) for each in own]
    for (_, _, probability), each in zip(said, own, strict=True):
        assert float(probability) == pytest.approx(each.probabilities[0], abs=1e-5)
