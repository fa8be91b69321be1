"""The console as a moderator uses it: a sentence, the state of the service, and the page as a whole."""

import json
import signal
from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import DESKTOP, PHONE
from tests.support.stack import Stack

pytestmark = pytest.mark.browser

CURSE = "말 진짜 드럽게 못하네 ㅅㅂ"
MARKUP = "<img src=x onerror=alert(1)>"
MOST_BYTES = 150 * 1024

Open = Callable[..., Page]


def type_text(page: Page, text: str) -> None:
    page.get_by_label("살펴볼 댓글").fill(text)


def upload(page: Page, name: str, content: bytes) -> None:
    file: FilePayload = {"name": name, "mimeType": "", "buffer": content}
    page.locator("input[type=file]").set_input_files(file)


def start(page: Page) -> None:
    page.get_by_role("button", name="판정 시작").click()


def test_a_text_is_judged_as_one_types_and_the_words_at_fault_are_marked(open_page: Open) -> None:
    page = open_page()
    type_text(page, CURSE)

    expect(page.locator(".headline .word")).to_have_text("욕설")
    expect(page.locator(".judged mark").first).to_contain_text("ㅅㅂ")
    expect(page.get_by_label("욕설 점수")).to_be_visible()
    page.get_by_label("살펴볼 댓글").fill("오늘 날씨가 참 좋네요")
    expect(page.locator(".headline .word")).to_have_text("문제없음")


def test_several_lines_are_a_table(open_page: Open) -> None:
    page = open_page()
    type_text(page, f"좋은 하루 보내세요\n{CURSE}\n\n네 시 발 기차 예매했어요")

    expect(page.locator("table tbody tr")).to_have_count(3)
    expect(page.locator("table tbody tr").nth(1)).to_contain_text("욕설")
    expect(page.get_by_text("3줄 가운데 1줄에 문제가 있습니다.")).to_be_visible()


def test_a_slider_recolours_at_once_and_the_service_agrees(open_page: Open) -> None:
    page = open_page()
    type_text(page, CURSE)
    page.get_by_text("임계값 바꿔 보기").click()
    for label in ("욕설", "모욕"):
        page.get_by_label(f"{label} 임계값").fill("1")

    expect(page.locator(".headline .word")).to_have_text("문제없음")
    page.get_by_role("button", name="처음 값으로").click()
    expect(page.locator(".headline .word")).to_have_text("욕설")


def test_a_correction_holds_after_a_reload_and_in_a_disguise_and_can_be_undone(open_page: Open, stack: Stack) -> None:
    text = "너 참 똑똑한 척하는 바보구나 ㅅㅂ 42"
    page = open_page()
    type_text(page, text)
    expect(page.locator(".headline .word")).not_to_have_text("문제없음")
    page.get_by_role("button", name="틀렸어요").click()
    page.get_by_role("button", name="문제없음").click()

    expect(page.locator(".headline .word")).to_have_text("문제없음")
    expect(page.get_by_text("바로잡은 판정입니다")).to_be_visible()
    page.reload()
    expect(page.locator(".headline .word")).to_have_text("문제없음")
    answer = httpx.post(f"{stack.url}/predict", json={"text": text.replace("바보", "바\u200b보")}, timeout=30).json()
    assert (answer["classification"], answer["corrected"]) == ("clean", True)
    (correction,) = httpx.get(f"{stack.url}/corrections").json()["data"]
    httpx.delete(f"{stack.url}/corrections/{correction['id']}")
    page.get_by_label("살펴볼 댓글").fill(f"{text} ")
    expect(page.locator(".headline .word")).not_to_have_text("문제없음")


def test_markup_in_texts_and_names_is_shown_as_text(open_page: Open) -> None:
    page = open_page()
    type_text(page, MARKUP)
    expect(page.locator(".judged")).to_have_text(MARKUP)
    page.goto(page.url.partition("#")[0] + "#files")
    upload(page, f"{MARKUP}.csv", f"{MARKUP},text\n{MARKUP},{MARKUP}\n".encode())
    expect(page.locator("table.small th").nth(1)).to_have_text(MARKUP)
    start(page)

    expect(page.locator("h1")).to_contain_text("<img src=x")
    expect(page.locator("table.results tbody td").last).to_have_text(MARKUP)
    assert page.locator("main img").count() == 0


def test_the_state_says_what_is_wrong_and_recovers(open_page: Open, stack: Stack) -> None:
    page = open_page("#state")
    expect(page.get_by_text("잘 돌고 있습니다")).to_be_visible()
    expect(page.get_by_text("워커 1, 대기 0")).to_be_visible()
    stack.api.kill(signal.SIGKILL)

    expect(page.get_by_text("서비스에 연결할 수 없습니다")).to_be_visible()
    stack.api.start()
    expect(page.get_by_text("잘 돌고 있습니다")).to_be_visible(timeout=30_000)


def test_the_page_is_small_and_loads_nothing_from_elsewhere(open_page: Open, stack: Stack) -> None:
    page = open_page("health")
    sizes: dict[str, int] = {}
    page.on("requestfinished", lambda request: sizes.update({request.url: request.sizes()["responseBodySize"]}))
    page.goto(f"{stack.url}/")
    page.wait_for_load_state("networkidle")

    assert all(url.startswith(stack.url) for url in sizes)
    assert sum(sizes.values()) <= MOST_BYTES


# Counts what moves without being touched; installed before the page's own scripts.
WATCH_SHIFTS = """
window.shifted = 0;
window.movers = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    if (entry.hadRecentInput) continue;
    window.shifted += entry.value;
    for (const { node, previousRect: from, currentRect: to } of entry.sources) {
      window.movers.push(`${node?.nodeName} from ${from.y} to ${to.y}`);
    }
  }
}).observe({ type: "layout-shift", buffered: true });
"""
MOST_SHIFTED = 0.1


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("place", ["", "#files", "#queue", "#rules", "#state"])
def test_nothing_jumps_while_the_page_appears(
    open_page: Open, stack: Stack, viewport: dict[str, int], place: str
) -> None:
    page = open_page("health", viewport=viewport)
    page.add_init_script(WATCH_SHIFTS)
    page.goto(f"{stack.url}/{place}")
    page.wait_for_load_state("networkidle") if place != "#state" else page.wait_for_timeout(3_000)

    shifted = page.evaluate("window.shifted")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    sizes = page.evaluate(
        "['navigation', 'resource'].flatMap((kind) => performance.getEntriesByType(kind))"
        ".filter((one) => !['fetch', 'xmlhttprequest'].includes(one.initiatorType)).map((one) => one.transferSize)"
    )
    # Figures for docs/console.md: -s shows them.
    print(f"{place or '#try'}: {sum(sizes) / 1024:.1f} kB, first paint {paint:.0f} ms, shift {shifted:.3f}")  # noqa: T201
    expect(page.get_by_text("불러오는 중…")).to_have_count(0)
    assert 0 < sum(sizes) <= MOST_BYTES
    assert shifted < MOST_SHIFTED, page.evaluate("window.movers")


# In English, as the service says it; as the page tells it.
TOLD = (
    (
        "the file has more than 1,000,000 rows (MAX_JOB_ROWS)",
        "파일의 줄이 1,000,000개를 넘습니다(MAX_JOB_ROWS). 나눠서 올려 주세요.",
    ),
    (
        (
            "the header cannot be read: line 1 opens a quoted cell that is never closed; "
            'close the quote, or write "" for a quote that belongs to the text'
        ),
        (
            "열 이름이 있는 줄을 읽을 수 없습니다. 1번째 줄: 따옴표로 시작한 칸이 끝까지 닫히지 않습니다. "
            '따옴표를 닫고, 글에 든 따옴표는 ""로 적어 주세요.'
        ),
    ),
    (
        "the file is a zip file, not xlsx; save it as xlsx or csv",
        "xlsx가 아니라 zip 파일입니다. xlsx나 csv로 저장해 올려 주세요.",
    ),
    ("the file is xlsx, not parquet", "parquet 파일이 아니라 xlsx 파일입니다."),
    ("deny[3] is empty or blank", "금지어[3]: 단어가 비어 있습니다."),
    ("text_column=한글 $&: there is no such column; there are 1 'a'", "한글 $& 열이 없습니다. 있는 열: 1 'a'"),
    ("no sentence of the service", None),
)


def test_sentences_of_the_service_are_told_in_korean_with_what_they_name(open_page: Open) -> None:
    page = open_page()
    program = "async (said) => said.map((await import('/console/files/sentences.js')).inKorean)"
    assert page.evaluate(program, [english for english, _ in TOLD]) == [korean for _, korean in TOLD]


def test_the_state_names_what_the_store_risks_in_the_language_of_the_page(open_page: Open) -> None:
    page = open_page("#state")
    expect(page.locator(".lamp small")).to_contain_text("저장소에 maxmemory가 없어")
    expect(page.locator(".lamp small[lang=en]")).to_have_count(0)
    page.get_by_role("button", name="English").click()
    expect(page.locator(".lamp small[lang=en]")).to_contain_text("has no maxmemory")


def test_programs_get_json_and_browsers_the_page(stack: Stack) -> None:
    assert httpx.get(f"{stack.url}/").json() == {"message": "Text Classification API (KoBERT)"}
    page = httpx.get(f"{stack.url}/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "'unsafe-inline'" not in page.headers["content-security-policy"]
    file = httpx.get(f"{stack.url}/console/files/app.js")
    assert httpx.get(file.url, headers={"if-none-match": file.headers["etag"]}).status_code == 304
    assert httpx.get(f"{stack.url}/console/files/../main.py").status_code == 404
    assert json.loads(httpx.get(f"{stack.url}/console/files/nothing.js").text)["error"]["code"] == "not_found"
