"""A real browser on the real page, served by the production server from a real Cassandra.

Where there is no Chromium the tests of this folder end as one failure that names the package, instead of one each.
"""

import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tenacity import retry, stop_after_delay, wait_fixed

from drinkstream.settings import ROOT, Settings
from drinkstream.store.session import connect
from stack import jars
from stack.programs import web
from tests.browser.rows import Rows
from tests.lib.programs import environment
from tests.lib.servers import free_ports
from tests.lib.servers import servers as real

# on a busy machine an answer takes longer than the five seconds of the default
expect.set_options(timeout=30_000)

HERE = Path(__file__).parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of this folder; without a browser leave only the one that says so."""
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.browser)
    if CHROMIUM is None:
        left_out = [item for item in ours if item.name != "test_there_is_a_browser"]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@dataclass(frozen=True)
class Site:
    """The running site: its address, the rows behind it, to which a test may add, and its settings."""

    url: str
    rows: Rows
    settings: Settings


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site over a month of rows: published days, two missing ones, yesterday and today live; and one day of 2017
    whose posts are archived."""
    folder = tmp_path_factory.mktemp("archive") / "posts"
    settings = real().cassandra().model_copy(update={"archive_uri": str(folder)})
    jars.fetch(settings)
    session = connect(settings, settings.writer_login())
    rows = Rows(session)
    rows.month()
    rows.said(folder)
    with serving(settings) as url:
        yield Site(url, rows, settings)
    session.cluster.shutdown()


@contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """The address of the web, run as the stack runs it, until the block ends."""
    (port,) = free_ports(1)
    here = settings.model_copy(update={"web_port": port, "live_refresh": 0.2})
    process = subprocess.Popen(web(here), env=environment(here), cwd=ROOT)
    try:
        url = f"http://{here.host}:{port}"
        ready(f"{url}/readyz")
        yield url
    finally:
        process.terminate()
        process.wait(30)


@retry(stop=stop_after_delay(60), wait=wait_fixed(0.2), reraise=True)
def ready(url: str) -> None:
    """Returns once a readiness route answers 200."""
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - an address of this test's own
        assert response.status == 200


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this folder.

    No longer: Playwright keeps an event loop running in this thread, beside which neither asyncio.run nor kafka-python
    works.
    """
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Open]:
    """Opens a path of the site in a window of its own; no script fails, nothing breaks the content policy, and nothing
    is fetched from anywhere else. `fails`: words of a fault that the test itself makes."""
    contexts, faults = [], []

    def opened(path: str, width: int = 1360, dark: bool = False, fails: str | None = None) -> Page:
        def heard(told: str) -> None:
            if fails is None or fails not in told:
                faults.append(told)

        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", timezone_id="Asia/Tokyo"
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: heard(str(error)))
        page.on("console", lambda line: heard(line.text))
        page.on("request", lambda asked: None if asked.url.startswith(site.url) else faults.append(asked.url))
        page.goto(site.url + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []
