"""The page in a real browser: it asks for nothing, breaks nothing, and is whole without script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kept_runs import small_run
from written_sweeps import small_search

import zoo

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def page_of_a_run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a page with a hostile class."""
    path = tmp_path_factory.mktemp("browser") / "run"
    run = small_run(path, classes=[EVIL, "bee", "cat"], epochs=3, lr=1e-4)
    return (run.directory / "report.html").resolve().as_uri()


@pytest.fixture(scope="module")
def page_of_a_sweep(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the page of a search with a hostile value."""
    path = tmp_path_factory.mktemp("browser") / "search"
    return zoo.report(small_search(path, EVIL)).resolve().as_uri()


@pytest.fixture(params=["page_of_a_run", "page_of_a_sweep"])
def address(request: pytest.FixtureRequest) -> str:
    """The address of one page after another."""
    return str(request.getfixturevalue(request.param))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_only_request_is_the_page_and_nothing_is_complained_of(
    browser: Browser, address: str, scheme: str, width: int
):
    """In light and dark, narrow and wide, and nothing is wider than the window."""
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(18, 22, 31)" if scheme == "dark" else "rgb(255, 255, 255)"
    )
    page.close()


def test_without_script_the_page_is_whole(browser: Browser, address: str):
    """The accuracy and the pictures are seen."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator(".accuracy").is_visible()
    assert page.locator(".accuracy").inner_text().endswith("%")
    assert sum(page.locator("svg[role=img]").nth(place).is_visible() for place in range(3)) == 3
    context.close()


def test_what_is_called_like_an_element_is_text(browser: Browser, address: str):
    """It is shown as it was written, and does nothing."""
    page = browser.new_page()
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.goto(address)
    assert page.locator("table[data-sortable] td", has_text=EVIL).first.is_visible()
    assert page.locator("img[src=x]").count() == 0
    assert alerts == []
    page.close()


def test_a_heading_sorts_its_table(browser: Browser, page_of_a_run: str):
    """Up, then down."""
    page = browser.new_page()
    page.goto(page_of_a_run)
    table = page.locator("table[data-sortable]")
    names = table.locator("tbody tr td:first-child")
    table.locator("th button", has_text="class").click()
    assert names.all_inner_texts() == sorted(names.all_inner_texts(), key=str.casefold)
    up = names.all_inner_texts()
    table.locator("th button", has_text="class").click()
    assert names.all_inner_texts() == up[::-1]
    page.close()
