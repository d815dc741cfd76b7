"""The documentation as a site: it builds without a warning, its links lead somewhere, and it asks no other host."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site, built strictly and served on the loopback."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def links_of(page: Page) -> set[str]:
    """Return where a page's links lead, as the browser sees them."""
    return set(page.eval_on_selector_all("a[href]", "links => links.map(link => link.href)"))


def test_every_link_leads_to_a_page_and_to_a_place_in_it(browser: Browser, site: str):
    """Beginning at the first page; no request goes to another host, and nothing is complained of."""
    page = browser.new_page()
    asked: set[str] = set()
    complaints: list[str] = []
    page.on("request", lambda request: asked.add(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("response", lambda got: complaints.append(got.url) if got.status >= 400 else None)
    waiting, seen, anchors, wanted = [site], {site}, {}, set()
    while waiting:
        address = waiting.pop()
        page.goto(address)
        anchors[address] = set(page.eval_on_selector_all("[id]", "all => all.map(each => each.id)"))
        for link in links_of(page):
            target, anchor = urldefrag(urljoin(address, link))
            if not target.startswith(site):
                continue
            wanted.add((target, anchor))
            if target not in seen:
                seen.add(target)
                if target.endswith(("/", ".html")):
                    waiting.append(target)
    assert len(anchors) > 50
    assert [found for found in wanted if found[1] and found[0] in anchors and found[1] not in anchors[found[0]]] == []
    assert [url for url in asked if not url.startswith((site, "data:", "blob:"))] == []
    assert complaints == []
    page.close()


@pytest.mark.parametrize("name", ["", "reference/commands/", "how-to/export/", "explanation/design/", "live/"])
def test_a_narrow_screen_is_enough(browser: Browser, site: str, name: str):
    """Nothing is wider than a telephone; wide tables and code scroll by themselves."""
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto(site + name)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.close()


def test_a_word_is_found(browser: Browser, site: str):
    """By the index that is part of the site."""
    page = browser.new_page()
    page.goto(site)
    page.locator("input.md-search__input").fill("occlusion")
    page.locator(".md-search-result__item a").first.wait_for()
    assert any("evaluate-and-predict" in link for link in links_of(page) if "?h=" in link)
    page.close()


def test_the_catalogue_answers_a_filter(browser: Browser, site: str):
    """A page of rows at first, all where they are asked for, and those that a search finds."""
    page = browser.new_page()
    page.goto(site + "live/catalogue.html")
    rows = page.locator("tbody tr:visible")
    assert rows.count() == 200
    page.locator("#more").click()
    assert rows.count() > 1_400
    page.locator("input[type=search]").fill("resnet18")
    assert 0 < rows.count() < 30
    assert all("resnet18" in row for row in rows.all_inner_texts())
    assert page.locator("#more").is_hidden()
    page.close()
