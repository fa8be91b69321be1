"""The console's queue, worked by keys in two browsers, and its rules, changed and seen to act."""

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.jobs import finish, submit
from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
MARKUP = "<img src=x onerror=alert(1)>"
ROWS = [f"병신 같은 소리 하고 있네 {n}" if n % 2 else f"좋은 하루 보내세요 {n}" for n in range(40)]


def begin(page: Page, name: str) -> None:
    page.get_by_label("검토하는 사람 이름").fill(name)
    page.get_by_role("button", name="시작", exact=True).click()
    expect(page.locator(".desk li").first).to_be_visible()


def rows_of(page: Page) -> set[str]:
    return set(page.locator(".desk li p.text").all_inner_texts())


def test_a_queue_is_worked_by_keys_and_no_row_goes_to_two_moderators(open_page: Open, stack: Stack) -> None:
    finish(stack, submit(stack, "\n".join(ROWS).encode(), format="txt", file_name="검토.txt"))
    first = open_page("#queue")
    first.get_by_role("button", name="검토 시작").click()
    begin(first, "가람")
    second = open_page(first.url.partition("/#")[2] and f"#{first.url.partition('#')[2]}")
    begin(second, "나래")
    assert not rows_of(first) & rows_of(second)

    text = first.locator(".desk li.here p.text").inner_text()
    first.keyboard.press("a")
    expect(first.locator(".desk li p.text").filter(has_text=text)).to_have_count(0)
    first.keyboard.press("u")
    expect(first.locator(".desk li.here p.text")).to_have_text(text)
    first.keyboard.press("j")
    expect(first.locator(".desk li").nth(1)).to_have_class("here")
    first.keyboard.press("k")
    first.keyboard.press("x")
    first.keyboard.press("j")
    first.keyboard.press("x")
    expect(first.get_by_text("2줄 고름")).to_be_visible()
    first.keyboard.press("d")
    expect(first.get_by_text("거절 2")).to_be_visible()
    second.keyboard.press("a")
    expect(second.get_by_text("통과 1")).to_be_visible()
    (review,) = httpx.get(f"{stack.url}/reviews").json()["data"]
    assert review["reviewers"] == {"가람": 2, "나래": 1}


def test_a_rule_is_tried_saved_and_acts(open_page: Open, stack: Stack) -> None:
    finish(stack, submit(stack, "\n".join(f"우리 두루미 {n}" for n in range(30)).encode(), format="txt"))
    page = open_page("#rules")
    page.get_by_label("게시판 이름").fill("free-board")
    page.get_by_role("button", name="새로 만들기").click()
    deny = page.get_by_role("group").filter(has_text="이 말이 있으면")
    deny.get_by_label("단어").first.fill(f"두루미, {MARKUP}")
    deny.get_by_role("button", name="더하기").click()
    page.get_by_role("button", name="해 보기").click()
    expect(page.get_by_text("30 / 30줄을 보았고 30줄의 판정이 달라집니다.")).to_be_visible(timeout=30_000)
    assert httpx.get(f"{stack.url}/policies/free-board").status_code == 404

    page.get_by_role("button", name="저장", exact=True).click()
    expect(page.get_by_text("저장했습니다.")).to_be_visible()
    expect(page.locator(".chip", has_text=MARKUP)).to_be_visible()

    def acts() -> bool:
        body = {"text": "두 루 미 한 마리", "policy": "free-board"}
        return "denied" in httpx.post(f"{stack.url}/predict", json=body, timeout=30).json().get("labels", [])

    wait_until(acts, "the rule")
    assert len(httpx.get(f"{stack.url}/policies").json()["data"]) == 1
    page.goto(page.url.partition("#")[0] + "#try")
    page.get_by_label("살펴볼 댓글").fill("두루미가 난다")
    page.get_by_role("combobox", name="게시판 규칙").select_option("free-board")
    expect(page.locator(".headline .word")).to_have_text("금지어")


def test_a_change_of_somebody_else_is_told_and_read_and_a_name_that_cannot_be_is_refused(
    open_page: Open, stack: Stack
) -> None:
    url = f"{stack.url}/policies/shared-board"
    httpx.put(url, json={"deny": ["기러기"]})
    page = open_page("#rules/shared-board")
    deny = page.get_by_role("group").first
    deny.get_by_label("단어").first.fill("두루미, 두루미\n기러기")
    deny.get_by_role("button", name="더하기").click()
    expect(deny.locator(".chip")).to_have_count(2)
    httpx.put(url, json={"deny": ["왜가리"]})
    page.get_by_role("button", name="저장", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("그 사이 다른 사람이 이 규칙을 바꿨습니다")

    page.get_by_role("button", name="새로 불러오기").click()
    expect(deny.locator(".chip")).to_have_count(2)
    expect(deny.locator(".chip").first).to_contain_text("왜가리")
    expect(deny.locator(".chip").last).to_contain_text("두루미")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_label("게시판 이름").fill(MARKUP)
    page.get_by_role("button", name="새로 만들기").click()
    assert page.evaluate("document.querySelector('input:invalid').title").startswith("게시판 이름에는")
    assert page.url.endswith("#rules/shared-board")
    httpx.delete(url)


def test_words_that_are_not_saved_yet_outlive_another_tab_and_those_in_the_field_are_saved_too(
    open_page: Open, stack: Stack
) -> None:
    url = f"{stack.url}/policies/draft-board"
    httpx.put(url, json={"deny": ["기러기"]})
    page = open_page("#rules/draft-board")
    deny = page.get_by_role("group").first
    deny.get_by_label("단어").first.fill("두루미")
    deny.get_by_role("button", name="더하기").click()
    page.get_by_role("link", name="한마디 보기").click()
    expect(page.get_by_label("살펴볼 댓글")).to_be_visible()
    page.go_back()

    expect(deny.locator(".chip")).to_have_count(2)
    expect(page.get_by_text("아직 저장하지 않은 내용이 있습니다.")).to_be_visible()
    deny.get_by_label("단어").first.fill("왜가리")
    page.get_by_role("button", name="저장", exact=True).click()
    expect(page.get_by_text("저장했습니다.")).to_be_visible()
    assert [entry["term"] for entry in httpx.get(url).json()["deny"]] == ["기러기", "두루미", "왜가리"]
    deny.get_by_label("단어").first.fill("까치")
    page.get_by_role("button", name="저장하지 않고 되돌리기").click()
    expect(page.get_by_text("아직 저장하지 않은 내용이 있습니다.")).to_have_count(0)
    expect(deny.get_by_label("단어").first).to_have_value("")
    page.reload()
    expect(deny.locator(".chip")).to_have_count(3)
    httpx.delete(url)


def test_versions_show_what_changed_and_one_is_restored_even_after_a_deletion(open_page: Open, stack: Stack) -> None:
    url = f"{stack.url}/policies/versions-board"
    httpx.put(url, json={"deny": ["기러기", MARKUP], "strictness": "strict"})
    httpx.put(url, json={"deny": ["기러기", "두루미"]})
    page = open_page("#rules/versions-board")
    page.get_by_text("지난 버전과 되돌리기 (2)").click()
    newest = page.locator(".versions ol > li").first
    expect(newest).to_contain_text("키 없는 사용자")
    newest.get_by_text("달라진 점").click()
    expect(newest.locator(".changes li").nth(0)).to_have_text("금지어: + 두루미 · 단어")
    expect(newest.locator(".changes li").nth(1)).to_have_text(f"금지어: − {MARKUP} · 단어")
    expect(newest.locator(".changes li").nth(2)).to_have_text("엄격도: 엄격하게 → 정하지 않음")

    page.locator(".versions ol > li").nth(1).get_by_text("이 버전으로 되돌리기").click()
    expect(page.get_by_text("저장했습니다.")).to_be_visible()
    expect(page.locator(".chip", has_text=MARKUP)).to_be_visible()
    assert [entry["term"] for entry in httpx.get(url).json()["deny"]] == ["기러기", MARKUP]
    expect(page.get_by_text("지난 버전과 되돌리기 (3)")).to_be_visible()

    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="지우기").click()
    expect(page.get_by_text("이 게시판의 규칙은 지워졌습니다")).to_be_visible()
    assert httpx.get(url).status_code == 404
    page.locator(".versions ol > li").first.get_by_text("이 버전으로 되돌리기").click()
    expect(page.get_by_text("저장했습니다.")).to_be_visible()
    assert httpx.get(url).status_code == 200
    httpx.delete(url)
