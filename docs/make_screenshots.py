"""Takes the pictures of the console in the docs: python docs/make_screenshots.py

Starts the service with its embedded model and drives Debian's Chromium, as `make browser-test` does. Each picture is
taken in Korean and, as `….en.png`, in English; it takes a minute and a half.
"""

import shutil
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from tests.browser.conftest import ARGUMENTS, DESKTOP, PHONE  # noqa: E402
from tests.support.jobs import finish, submit  # noqa: E402
from tests.support.stack import Stack  # noqa: E402

TEXT = "말 진짜 드럽게 못하네 ㅅㅂ"
BOARD = "free-board"
DENIED = ["기레기", "리딩방", "카톡방 들어오세요", "무료 체험"]
ARRIVING = [
    "기레기가 또 소설 쓰네",
    "오늘 기사 잘 읽었습니다",
    "리딩방 들어오시면 두 배 벌어요",
    "다음 경기도 기대합니다",
    "요즘 기레기들 수준이 이렇다",
    "무료 체험 신청하시면 사은품 드려요",
    "정보 감사합니다. 덕분에 해결했어요",
    "기 레 기 소리 들을 만하네",
]
WAIT_MS = 800
CHART_MS = 50_000
EXAMPLE = FOLDER.parent / "api/console/static/examples/comments.csv"


@dataclass(frozen=True)
class Words:
    """What the page calls its buttons in one language."""

    language: str
    suffix: str
    start: str
    begin: str


KOREAN = Words("ko", "", "검토 시작", "시작")
ENGLISH = Words("en", ".en", "Start reviewing", "Begin")


class Camera:
    """One window of the browser in one language."""

    def __init__(self, browser: Browser, url: str, words: Words, *, is_phone: bool = False) -> None:
        self.words = words
        self.url = url
        viewport, scheme = (PHONE, "dark") if is_phone else (DESKTOP, "light")
        context = browser.new_context(viewport=viewport, locale="ko-KR", color_scheme=scheme)  # type: ignore[arg-type]
        context.add_init_script(f"localStorage.setItem('kobert-language', '{words.language}')")
        self.page: Page = context.new_page()
        self.page.goto(url)

    def resize(self, height: int) -> None:
        """As high as what is shown."""
        self.page.set_viewport_size({"width": DESKTOP["width"], "height": height})

    def go(self, place: str) -> None:
        """Open a tab."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/#{place}")

    def take(self, name: str) -> None:
        """Save the window as it stands."""
        self.page.wait_for_timeout(WAIT_MS)
        self.page.screenshot(path=FOLDER / f"console-{name}{self.words.suffix}.png")

    def try_text(self, name: str) -> None:
        """A verdict with its words marked."""
        self.go("try")
        self.page.locator("#text").fill(TEXT)
        self.page.wait_for_selector(".headline")
        self.take(name)

    def show_file(self, job_id: str) -> None:
        """A judged file."""
        self.go(f"job/{job_id}")
        self.page.wait_for_selector("table.results tbody tr")
        self.take("file")

    def review(self, name: str, source: str) -> None:
        """A queue of a file, or of the live feed."""
        self.go("queue")
        self.page.locator("main select").first.select_option(source)
        self.page.get_by_role("button", name=self.words.start).click()
        if self.page.locator("form input").count() or not self.page.locator(".desk").count():
            self.page.wait_for_selector("form input, .desk li")
        if self.page.locator("form input").count():
            self.page.locator("form input").fill("가람" if self.words is KOREAN else "Garam")
            self.page.get_by_role("button", name=self.words.begin, exact=True).click()
        self.page.wait_for_selector(".desk li")
        self.take(name)

    def show_rules(self) -> None:
        """The rules of a board, with the texts in which an entry fired."""
        self.go(f"rules/{BOARD}")
        self.page.locator("button.link").first.click()
        self.page.wait_for_selector(".recent li")
        self.resize(1_150)
        self.take("rules")


def keep_sending(url: str, is_over: threading.Event) -> None:
    """Texts as a board would send them, until it is over."""
    with httpx.Client(base_url=url, timeout=60) as client:
        count = 0
        while not is_over.wait(0.05 if count // 60 % 2 else 0.15):
            text = ARRIVING[count % len(ARRIVING)]
            client.post("/predict", json={"text": text, "policy": BOARD}, headers={"X-Review-Feed": "off"})
            count += 1


def prepare(stack: Stack) -> str:
    """A board with rules, texts in the live feed, and a judged file; returns the file's job."""
    httpx.put(f"{stack.url}/policies/{BOARD}", json={"deny": DENIED, "allow": ["시발점"], "strictness": "strict"})
    comments = [line.split(",")[-1] for line in EXAMPLE.read_text(encoding="utf-8").splitlines()[1:]]
    time.sleep(1)  # until the rules act
    for text in [*ARRIVING, *comments]:
        httpx.post(f"{stack.url}/predict", json={"text": text, "policy": BOARD}, timeout=60)
    job = submit(stack, EXAMPLE.read_bytes(), format="csv", file_name="예시 댓글.csv", explain="true")
    return str(finish(stack, job)["id"])


def take_all(stack: Stack, browser: Browser) -> None:
    """All pictures."""
    job_id = prepare(stack)
    cameras = [Camera(browser, stack.url, words) for words in (KOREAN, ENGLISH)]
    is_over = threading.Event()
    sender = threading.Thread(target=keep_sending, args=(stack.url, is_over))
    sender.start()
    try:
        for camera in cameras:
            camera.resize(520)
            camera.go("state")
        cameras[0].page.wait_for_timeout(CHART_MS)
        for camera in cameras:
            camera.take("state")
            camera.resize(DESKTOP["height"])
    finally:
        is_over.set()
        sender.join()
    for camera in cameras:
        camera.try_text("try")
        camera.show_file(job_id)
        camera.review("review", job_id)
        camera.review("feed", "live")
        camera.show_rules()
    for words in (KOREAN, ENGLISH):
        Camera(browser, stack.url, words, is_phone=True).try_text("phone")


def main() -> None:
    """Start everything, take the pictures, stop everything."""
    with tempfile.TemporaryDirectory(prefix="kt-") as folder, sync_playwright() as playwright:
        stack = Stack(Path(folder), "default", model_threads=1, review_feed_texts=500)
        try:
            stack.start(worker_module="worker.main")
            stack.redis().config_set("maxmemory", "256mb")
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            take_all(stack, browser)
            browser.close()
        finally:
            stack.stop()


if __name__ == "__main__":
    main()
