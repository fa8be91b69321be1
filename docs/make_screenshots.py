"""Takes the pictures of the console in the docs: python docs/make_screenshots.py

Starts the service with its embedded model and drives Debian's Chromium, as `make browser-test` does.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from tests.browser.conftest import ARGUMENTS, DESKTOP, PHONE  # noqa: E402
from tests.support.stack import Stack  # noqa: E402

TEXT = "말 진짜 드럽게 못하네 ㅅㅂ"
WAIT_MS = 800


def take(page: Page, name: str) -> None:
    """Save the page as it stands."""
    page.wait_for_timeout(WAIT_MS)
    page.screenshot(path=FOLDER / f"console-{name}.png")


def take_all(url: str, page: Page, phone: Page) -> None:
    """The pictures, in the order of the tabs."""
    page.goto(url)
    page.get_by_label("살펴볼 댓글").fill(TEXT)
    page.wait_for_selector(".headline")
    take(page, "try")
    page.goto(f"{url}#files")
    page.get_by_role("button", name="예시 파일").click()
    page.get_by_role("button", name="판정 시작").click()
    page.wait_for_selector("table.results tbody tr")
    take(page, "file")
    page.goto(f"{url}#queue")
    page.get_by_role("button", name="검토 시작").click()
    page.get_by_label("검토하는 사람 이름").fill("가람")
    page.get_by_role("button", name="시작", exact=True).click()
    page.wait_for_selector(".desk li")
    take(page, "review")
    phone.goto(url)
    phone.get_by_label("살펴볼 댓글").fill(TEXT)
    phone.wait_for_selector(".headline")
    take(phone, "phone")


def main() -> None:
    """Start everything, take the pictures, stop everything."""
    with tempfile.TemporaryDirectory(prefix="kt-") as folder, sync_playwright() as playwright:
        stack = Stack(Path(folder), "default", model_threads=1)
        try:
            stack.start(worker_module="worker.main")
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            page = browser.new_page(viewport=DESKTOP, locale="ko-KR", color_scheme="light")  # type: ignore[arg-type]
            phone = browser.new_page(viewport=PHONE, locale="ko-KR", color_scheme="dark")  # type: ignore[arg-type]
            take_all(f"{stack.url}/", page, phone)
            browser.close()
        finally:
            stack.stop()


if __name__ == "__main__":
    main()
