"""Airflow's own page of a question, in a real browser."""

import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from playwright.sync_api import sync_playwright

from drinkstream.settings import ROOT
from tests.lib.airflow_api import RANGE, AirflowApi

PATIENCE_MS = 60_000


def approve(api: AirflowApi, run: str, chromium: str) -> str:
    """Logs in, reads what `approve` of a run asks, and clicks Approve; what the page said before.

    With SCREENSHOTS=1 its picture is kept in docs/images. In a thread of its own, since Playwright keeps an event loop
    running in the thread that starts it.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_approve, api, run, chromium).result()


def _approve(api: AirflowApi, run: str, chromium: str) -> str:
    url = f"{api.base}/dags/{RANGE}/runs/{quote(run)}/tasks/approve/required_actions"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 1000})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(url)
        page.locator("input[name=username]").fill(api.user)
        page.locator("input[type=password]").fill(api.password)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda at: "/auth/login" not in at)
        page.goto(url)
        button = page.get_by_role("button", name="Approve", exact=True)
        button.wait_for()
        page.get_by_role("link", name="Whole report").first.wait_for()
        said = page.locator("body").inner_text()
        if os.environ.get("SCREENSHOTS"):
            (ROOT / "docs" / "images" / "approve.png").write_bytes(page.screenshot())
        with page.expect_response(lambda answer: answer.request.method == "PATCH") as answered:
            button.click()
        assert answered.value.ok, answered.value.text()
        browser.close()
        return said
