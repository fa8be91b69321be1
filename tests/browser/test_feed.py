"""The console's live feed: a queue of texts as they come in, and the recent texts in which an entry fired."""

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
MARKUP = "<img src=x onerror=alert(1)>"


def send(stack: Stack, *texts: str, **more: object) -> None:
    httpx.post(f"{stack.url}/predict", json={"texts": list(texts), **more}, timeout=60)


def kept(stack: Stack) -> int:
    return len(httpx.get(f"{stack.url}/feed", params={"limit": 100}).json()["data"])


def test_a_queue_of_the_live_feed_shows_what_comes_in_and_is_decided_by_keys(open_page: Open, stack: Stack) -> None:
    httpx.delete(f"{stack.url}/feed")
    send(stack, f"{MARKUP} 병신 같은 소리", "좋은 하루 보내세요")
    wait_until(lambda: kept(stack) == 2, "the feed")
    page = open_page("#try")
    page.get_by_label("살펴볼 댓글").fill("적다가 만 글")
    expect(page.locator(".headline .word")).to_be_visible()
    page.goto(f"{stack.url}/#queue")
    page.get_by_role("combobox", name="어디에서").select_option("live")
    expect(page.get_by_text("최근 500개까지")).to_be_visible()
    page.get_by_role("button", name="검토 시작").click()
    page.get_by_label("검토하는 사람 이름").fill(MARKUP)
    page.get_by_role("button", name="시작", exact=True).click()

    expect(page.locator("h1")).to_have_text("실시간 글")
    expect(page.locator(".desk li")).to_have_count(2)
    expect(page.locator(".desk li p.text", has_text=MARKUP)).to_be_visible()
    send(stack, "방금 들어온 글")
    expect(page.locator(".desk li p.text", has_text="방금 들어온 글")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_text(f"{MARKUP} 1")).to_be_visible()
    expect(page.locator(".desk li")).to_have_count(2)
    assert page.locator("main img").count() == 0


def test_a_rule_shows_the_recent_texts_on_which_it_fired(open_page: Open, stack: Stack) -> None:
    url = f"{stack.url}/policies/fed-board"
    httpx.put(url, json={"deny": [MARKUP, "기러기"]})
    text = f"여기 {MARKUP} 있어요"

    def fires() -> bool:
        send(stack, text, policy="fed-board")
        return any(entry["hits"] for entry in httpx.get(f"{url}/hits").json()["data"])

    wait_until(fires, "a hit")
    page = open_page("#rules/fed-board")
    page.get_by_role("button", name=f"{MARKUP}에 최근에 걸린 글").click()

    expect(page.locator(".recent li .text").first).to_have_text(text)
    assert page.locator("main img").count() == 0
    httpx.delete(url)
