"""The service goes away while a moderator works, and comes back: the page says so and goes on without a reload."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_console import CURSE, start, type_text, upload
from tests.browser.test_moderation import ROWS, begin
from tests.support.jobs import finish, submit
from tests.support.stack import Stack

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
LOST_JOB = "연결이 끊겨 다시 잇는 중입니다"
LOST = "서비스에 연결할 수 없습니다"
BACK_MS = 60_000
MANY = "\n".join(f"안녕하세요 반갑습니다 {number}" for number in range(60_000)).encode()


@pytest.fixture(autouse=True)
def running(stack: Stack) -> Iterator[None]:
    """The service runs after each test, whatever became of it."""
    yield
    if not stack.api.is_running:
        stack.api.start()
    stack.wait_ready()


def start_job(page: Page) -> None:
    upload(page, "많은 댓글.txt", MANY)
    start(page)
    expect(page.get_by_text("판정 중")).to_be_visible()
    page.evaluate("window.isTheSamePage = true")


def done(page: Page) -> int:
    return int(page.locator("#progress").get_attribute("value") or 0)


def stop_job(page: Page) -> None:
    assert page.evaluate("window.isTheSamePage")
    page.get_by_role("button", name="멈추기").click()
    expect(page.get_by_text("취소됨")).to_be_visible()


def test_a_job_goes_on_over_a_service_that_dies_and_is_started_again(open_page: Open, stack: Stack) -> None:
    page = open_page("#files")
    start_job(page)
    before = done(page)
    stack.api.kill(signal.SIGKILL)
    expect(page.get_by_text(LOST_JOB)).to_be_visible()
    expect(page.get_by_text("판정 중")).to_be_visible()

    stack.api.start()
    expect(page.get_by_text(LOST_JOB)).to_have_count(0, timeout=BACK_MS)
    page.wait_for_function("before => document.querySelector('#progress').value > before", arg=before)
    stop_job(page)


def test_a_connection_that_falls_silent_is_noticed(open_page: Open, stack: Stack) -> None:
    page = open_page("health")
    page.clock.install()
    page.goto(f"{stack.url}/#files")
    start_job(page)
    os.kill(stack.api.pid, signal.SIGSTOP)
    try:
        page.clock.fast_forward(41_000)
        expect(page.get_by_text(LOST_JOB)).to_be_visible()
    finally:
        os.kill(stack.api.pid, signal.SIGCONT)

    expect(page.get_by_text(LOST_JOB)).to_have_count(0, timeout=BACK_MS)
    stop_job(page)


def test_a_sentence_is_judged_once_the_service_is_back(open_page: Open, stack: Stack) -> None:
    page = open_page()
    stack.api.kill(signal.SIGKILL)
    type_text(page, CURSE)
    expect(page.get_by_role("alert")).to_contain_text(LOST)

    stack.api.start()
    expect(page.locator(".headline .word")).to_have_text("욕설", timeout=BACK_MS)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_decision_that_was_lost_is_told_and_can_be_made_again(open_page: Open, stack: Stack) -> None:
    finish(stack, submit(stack, "\n".join(ROWS).encode(), format="txt", file_name="끊긴 검토.txt"))
    page = open_page("#queue")
    page.get_by_role("button", name="검토 시작").click()
    begin(page, "가람")
    first = page.locator(".desk li.here p.text").inner_text()
    stack.api.kill(signal.SIGKILL)
    page.keyboard.press("a")
    expect(page.get_by_role("alert")).to_contain_text(LOST)
    expect(page.locator(".desk li.here p.text")).to_have_text(first)

    stack.api.start()
    expect(page.get_by_role("alert")).to_have_count(0, timeout=BACK_MS)
    expect(page.locator(".desk li.here p.text")).to_have_text(first)
    page.keyboard.press("a")
    expect(page.get_by_text("통과 1")).to_be_visible()
    expect(page.locator(".desk li p.text").filter(has_text=first)).to_have_count(0)


def test_a_page_that_was_opened_while_the_service_was_away_fills_itself(open_page: Open, stack: Stack) -> None:
    page = open_page("#try")
    stack.api.kill(signal.SIGKILL)
    for tab in ("파일 보기", "검토", "규칙"):
        page.get_by_role("link", name=tab).click()
        expect(page.get_by_role("alert").first).to_contain_text(LOST)

    stack.api.start()
    expect(page.get_by_role("alert")).to_have_count(0, timeout=BACK_MS)
    expect(page.get_by_label("게시판 이름")).to_be_visible()
