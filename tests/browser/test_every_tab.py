"""Every tab of the console, filled, in both languages and colours, on laptop and phones: nothing cut, no barrier."""

from collections.abc import Callable

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import DESKTOP, PHONE, SMALL_PHONE
from tests.support.jobs import finish, submit
from tests.support.stack import Stack

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
MARKUP = "<img src=x onerror=alert(1)>"
LONG_NAME = "어느 게시판의 2026년 11월 댓글 모음 최종본.txt"
ROWS = ["병신 같은 소리 하고 있네", MARKUP, "좋은 하루 보내세요", "https://example.com/" + "가나다라마바사" * 30]
# What stands outside the window or is cut off in its own box, but for what can be scrolled; and whether the tabs wrap.
CUT = """() => {
  const width = document.documentElement.clientWidth;
  const found = document.documentElement.scrollWidth > width ? ["the page scrolls sideways"] : [];
  for (const element of document.querySelectorAll("#app *")) {
    if (element.closest(".scroll, .hidden, .skip, .chart")) continue;
    const { left, right, width: own } = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    const isCut = ["hidden", "clip"].includes(style.overflowX) && element.scrollWidth > element.clientWidth + 1;
    const canShorten = element.tagName === "SELECT" && style.textOverflow === "ellipsis";
    const isOut = own > 0 && (right > width + 1 || left < -1);
    if (isOut || (isCut && !canShorten)) found.push(element.outerHTML.slice(0, 120));
  }
  const tabs = [...document.querySelectorAll("header nav a")].map((tab) => tab.getBoundingClientRect());
  if (new Set(tabs.map(({ top }) => top)).size > 1) found.push("the tabs wrap");
  if (tabs.some(({ height }) => height > 1.5 * tabs[0].height)) found.push("a tab's name wraps");
  return found;
}"""


@pytest.fixture(scope="module")
def places(stack: Stack) -> list[str]:
    """Something to show in every tab; returns the tabs' addresses."""
    job = finish(stack, submit(stack, "\n".join(ROWS).encode(), format="txt", file_name=LONG_NAME, explain="true"))
    with httpx.Client(base_url=stack.url, timeout=60) as client:
        review = client.post("/reviews", json={"job_id": job["id"]}).json()["id"]
        deny = ["기레기", "카톡방 들어오세요", "무료 체험 이벤트 당첨을 축하드립니다", MARKUP]
        client.put("/policies/every-tab", json={"deny": deny[:2], "strictness": "strict"})
        client.put("/policies/every-tab", json={"deny": deny, "allow": ["시발점"]})
    places = ["try", "files", f"job/{job['id']}", "queue", f"queue/{review}", "rules", "rules/every-tab", "state"]
    return [*places, "job/job_000000000000000000000000"]


def show(page: Page, place: str) -> None:
    page.evaluate("place => { location.hash = place; }", place)
    page.locator("main h1").wait_for(state="attached")
    if place == "try":
        page.locator("#text").fill(ROWS[0])
        page.locator(".headline .word").wait_for()
    elif place == "rules/every-tab":
        page.locator(".versions summary").click()
        page.locator(".versions button[aria-expanded]").first.click()
        page.locator(".changes").wait_for()
    page.wait_for_timeout(300)


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE, SMALL_PHONE], ids=lambda one: str(one["width"]))
@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_is_whole_and_open_to_all(
    open_page: Open, places: list[str], viewport: dict[str, int], language: str, scheme: str
) -> None:
    page = open_page(viewport=viewport, color_scheme=scheme)
    page.evaluate("sessionStorage.setItem('kobert-reviewer', '가람')")
    page.evaluate("language => localStorage.setItem('kobert-language', language)", language)
    page.reload()
    for place in places:
        show(page, place)
        assert page.evaluate(CUT) == [], place
        if viewport is not PHONE:  # which is as wide as the small one, but for what may be cut
            found = Axe().run(page).response["violations"]
            assert not [(one["id"], one["nodes"][0]["html"]) for one in found], place
