"""A real browser, Debian's Chromium, before the real service with its embedded model."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.stack import Stack

# Chromium as root in a closed network: without these it asks for hosts of its vendor.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TIMEOUT_MS = 60_000
PHONE = {"width": 390, "height": 844}
SMALL_PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("Chromium is not installed")  # .ci/run installs it, and says so where it cannot
    # A loaded machine takes seconds for a preview; nothing here proves a speed.
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The service as it is shipped."""
    with tempfile.TemporaryDirectory(prefix="kt-") as folder:
        stack = Stack(Path(folder), "default", model_threads=1, review_feed_texts=500)
        try:
            stack.start(worker_module="worker.main")
            yield stack
        finally:
            stack.stop()
            print(stack.logs())  # noqa: T201  pytest shows it when a test fails


@pytest.fixture
def open_page(browser: Browser, stack: Stack) -> Iterator[Callable[..., Page]]:
    """Opens the console at a place; the test fails when the page has thrown an error or broken its own policy."""
    contexts = []
    faults: list[str] = []

    def open_at(place: str = "", *, url: str = "", **options: object) -> Page:
        options = {"viewport": DESKTOP, "locale": "ko-KR", "accept_downloads": True, **options}
        context = browser.new_context(**options)  # type: ignore[arg-type]
        context.set_default_timeout(TIMEOUT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda dialog: faults.append(dialog.message) if dialog.type == "alert" else None)
        page.on("console", lambda message: faults.append(message.text) if "Content Security" in message.text else None)
        page.goto(f"{url or stack.url}/{place}")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert not faults
