"""How long a page of a large file's results takes, from the API and in the console as a moderator sees it.

    python -m bench.result_pages               100,000 rows; needs Debian's Chromium and playwright
    python -m bench.result_pages --smoke       a few seconds, without a browser, to show that it runs

The rows are those of bench/comments.txt with their numbers, judged by a worker that answers at once. Times of the API
are of its answer as a client gets it; a search asks for parts of 20,000 rows, as the console does, and both the whole
and its longest request are told. In the browser a time runs from the click to the first frame that shows the rows.
Prints min / median / max.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.echo import write_echo_bundle
from tests.support.jobs import finish, submit
from tests.support.stack import Stack, memory_bytes

COMMENTS = Path(__file__).with_name("comments.txt").read_text().splitlines()
PAGE = 51
PART = 20_000
MIB = 1024 * 1024
WAIT_S = 600
PAGES_TURNED = 40

# Clicks, then waits for the rows that come of it; milliseconds.
CLICK = """async ([selector, at]) => {
  const row = () => document.querySelector("table.results tbody td")?.textContent;
  const isBusy = () => document.querySelector("[aria-labelledby=results]").getAttribute("aria-busy") === "true";
  const old = row();
  const began = performance.now();
  document.querySelectorAll(selector)[at].click();
  for (;;) {
    await new Promise(requestAnimationFrame);
    if (row() !== old && !isBusy()) return performance.now() - began;
  }
}"""
BUTTONS = ".pager > button"
FIRST, PREVIOUS, NEXT, LAST = range(4)


def say(name: str, values: Sequence[float]) -> None:
    """One line of figures in milliseconds."""
    shown = " / ".join(f"{value:,.0f}" for value in (min(values), statistics.median(values), max(values)))
    sys.stdout.write(f"  {name:<44} {shown} ms\n")


def timed(work: Callable[[], object], rounds: int) -> list[float]:
    """Milliseconds of each round."""
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - started))
    return took


class Results:
    """The results of a job, asked for as the console does."""

    def __init__(self, url: str, job: dict[str, Any]) -> None:
        self.total = job["request_counts"]["total"]
        self._client = httpx.Client(base_url=f"{url}/jobs/{job['id']}", timeout=WAIT_S)
        self.longest_ms = 0.0

    def page(self, **query: object) -> list[dict[str, Any]]:
        """Rows of one request."""
        started = time.perf_counter()
        wanted = {"format": "jsonl", "own_columns": "false", "limit": PAGE, **query}
        answer = self._client.get("/results", params=wanted)  # type: ignore[arg-type]
        answer.raise_for_status()
        self.longest_ms = max(self.longest_ms, 1000 * (time.perf_counter() - started))
        return [json.loads(line) for line in answer.text.splitlines()]

    def search(self, **query: object) -> int:
        """Rows found by going through the file in parts until there is a page of them."""
        found = 0
        for start in range(0, self.total, PART):
            found += len(self.page(cursor=start, before=start + PART + 1, **{**query, "limit": PAGE - found}))
            if found == PAGE:
                break
        return found


def measure_api(stack: Stack, job: dict[str, Any], rounds: int) -> None:
    """Pages and searches, straight from the API."""
    results = Results(stack.url, job)
    total = results.total
    results.page()
    sys.stdout.write(f"API, {total:,} rows\n")
    say("first page", timed(results.page, rounds))
    say("page in the middle", timed(lambda: results.page(cursor=total // 2), rounds))
    say("last page", timed(lambda: results.page(before=total + 1, last="true"), rounds))
    rare = f"댓글 {total}"
    for name, query in (("label, many rows", {"only": "flagged"}), ("text of the last row", {"contains": rare}),
                        ("text that no row has", {"contains": "없는 말"})):  # fmt: skip
        results.longest_ms = 0
        say(f"{name}: whole search", timed(lambda query=query: results.search(**query), rounds))  # type: ignore[misc]
        say("  its longest request", [results.longest_ms])
    end = {"cursor": max(0, total - PART), "before": total + 1, "last": "true"}
    say("text of the last row, from the end", timed(lambda: results.page(**end, contains=rare), rounds))


class Console:
    """The page with the results of a job, as a moderator has it open."""

    def __init__(self, page: Any, url: str, job: dict[str, Any]) -> None:  # noqa: ANN401  playwright is imported late
        self.total = job["request_counts"]["total"]
        self._page = page
        self._devtools = page.context.new_cdp_session(page)
        page.set_default_timeout(WAIT_S * 1000)
        page.goto(f"{url}/#job/{job['id']}")
        page.wait_for_selector("table.results tbody tr")

    def click(self, place: int) -> float:
        """Milliseconds from a click on a button of the pager to its rows."""
        return float(self._page.evaluate(CLICK, [BUTTONS, place]))

    def jump(self, row: int) -> float:
        """The same for a row's number."""
        self._page.get_by_label("줄 번호").fill(str(row))
        return float(self._page.evaluate(CLICK, [".pager form button", 0]))

    def show(self, only: str) -> None:
        """Filter, and wait for the rows."""
        self._page.get_by_role("combobox", name="보기").select_option(only)
        self._page.wait_for_timeout(1000)
        self._page.locator("[aria-labelledby=results][aria-busy=false]").wait_for()

    def find(self, words: str) -> float:
        """Milliseconds from the last letter to the only row found, the pause for typing included."""
        field = self._page.get_by_label("글에서 찾기")
        field.fill("")
        second = self._page.locator("table.results tbody tr").nth(1)
        second.wait_for()
        started = time.perf_counter()
        field.fill(words)
        second.wait_for(state="detached")
        return 1000 * (time.perf_counter() - started)

    def memory(self) -> str:
        """What the page's scripts hold, and how many nodes there are."""
        self._devtools.send("HeapProfiler.collectGarbage")
        nodes = self._devtools.send("Memory.getDOMCounters")["nodes"]
        return f"{self._page.evaluate('performance.memory.usedJSHeapSize') / MIB:.1f} MB, {nodes:,} nodes"


def measure_console(console: Console, rounds: int) -> None:
    """Pages and searches as a moderator clicks."""
    total = console.total
    sys.stdout.write(f"console, {total:,} rows, from the click to the rows on the screen\n")
    steps: dict[str, Callable[[], float]] = {
        "next page": lambda: console.click(NEXT),
        "last page": lambda: console.click(LAST),
        "page before the last": lambda: console.click(PREVIOUS),
        "first page": lambda: console.click(FIRST),
        "row in the middle": lambda: console.jump(total // 2),
    }
    for name, took in _in_turns(steps, rounds).items():
        say(name, took)
    before = console.memory()
    console.click(FIRST)
    for _ in range(PAGES_TURNED):
        console.click(NEXT)
    sys.stdout.write(f"  memory of the page: {before}; after {PAGES_TURNED} more pages {console.memory()}\n")
    console.show("flagged")
    del steps["row in the middle"]
    for name, took in _in_turns(steps, rounds).items():
        say(f"not clean only: {name}", took)
    console.show("")
    say("text of the last row, typed", [console.find(f"댓글 {total - number}") for number in range(rounds)])


def _in_turns(steps: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            took[name].append(step())
    return took


@contextmanager
def opened_console(url: str, job: dict[str, Any]) -> Iterator[Console]:
    """Debian's Chromium before the service."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  the smoke run needs no browser

    from tests.browser.conftest import ARGUMENTS, DESKTOP  # noqa: PLC0415

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        yield Console(browser.new_page(viewport=DESKTOP, locale="ko-KR"), url, job)  # type: ignore[arg-type]
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    rows, rounds = (2_000, 1) if options.smoke else (options.rows, options.rounds)
    with tempfile.TemporaryDirectory(prefix="kt-") as name:
        folder = Path(name)
        bundle = write_echo_bundle(folder / "echo")
        stack = Stack(folder, bundle, max_batch_tokens=4096)
        try:
            stack.start()
            texts = [f"{COMMENTS[number % len(COMMENTS)]} 댓글 {number + 1}" for number in range(rows)]
            job = finish(stack, submit(stack, "\n".join(texts).encode(), format="txt", file_name="댓글.txt"), WAIT_S)
            measure_api(stack, job, rounds)
            if not options.smoke:
                with opened_console(stack.url, job) as console:
                    measure_console(console, rounds)
            sys.stdout.write(f"memory of the API: {memory_bytes(stack.api.pid, 'VmHWM') / MIB:.0f} MB at its peak\n")
        finally:
            stack.stop()


if __name__ == "__main__":
    main()
