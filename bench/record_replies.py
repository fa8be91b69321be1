"""Do two versions answer alike? Sends the same 200 requests, errors and jobs included, and compares the replies' bytes.

    python -m bench.record_replies --output before.jsonl --checkout FOLDER    record the code in FOLDER
    python -m bench.record_replies --output after.jsonl                       record the code here
    python -m bench.record_replies --compare before.jsonl after.jsonl         show what differs; exit 1 if anything does
    python -m bench.record_replies --smoke                                    record twice and compare

Requests go one after the other, with ids of their own, to one worker with the embedded model of that code, or with
`--model`. What must differ is masked: ids of jobs, times, speeds.
"""

import argparse
import itertools
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.support.stack import ROOT, Stack

COMMENTS = Path(__file__).with_name("comments.txt").read_text().splitlines()
HELD_TO = ("content-type", "location", "retry-after", "content-disposition", "x-results-partial", "x-total-rows")
JSON = {"content-type": "application/json"}
SMOKE_REQUESTS = 12
# Of two replies, what is printed from a little before their first difference on.
SHOWN_BEFORE = 60
SHOWN_CHARS = 300
MASKS = (
    (re.compile(r"job_[0-9a-f]{24}"), "job_ID"),
    (re.compile(r'("\w+_at"):\d+'), r"\1:0"),
    (re.compile(r'("rows_per_s"|"eta_seconds"):[\d.]+'), r"\1:0"),
)


@dataclass(frozen=True)
class Request:
    """One request. `{job}` in its path becomes the id of the job that was made last."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def predict(body: object) -> Request:
    return Request("POST", "/predict", json.dumps(body, ensure_ascii=False).encode(), JSON)


def texts() -> Iterator[str]:
    yield from COMMENTS
    yield from (
        "씨발 진짜 짜증나네",
        "야 이 개새끼야 꺼져",
        "ㅅㅂ 또 졌네",
        "이 병 신 아",
        "못 배운 티 나네",
        "한남충들 다 죽어라",
        "ㅋㅋㅋ",
        "응",
        "...",
        "2024-08-18",
        "전라남도 여수",
        "네 시 발 기차",
        "hello world, you idiot",
        "각",
        "a\x00b\x1f\x7f",
        "👨‍👩‍👧‍👦 가족",
        "\u202e뒤집힌 글",
        '따옴표 " 와 \\ 역사선 / 사선',
        "줄\r\n바꿈\u2028과 탭\t\b\f",
        "\U0010ffff 끝",
        "  앞뒤 공백  ",
        "ﷺ",
        "가" * 60,
    )
    for first, second in itertools.combinations(COMMENTS[:12], 2):
        yield f"{first} {second}"


def single_texts() -> Iterator[Request]:
    return (predict({"text": text}) for text in itertools.islice(texts(), 95))


def long_texts() -> Iterator[Request]:
    """Each is read in several windows."""
    pleasant = " ".join(COMMENTS[:12])
    for sentences in ((pleasant,) * 2, (pleasant, "이 병신 새끼야", pleasant), ("댓글 수준 참 대단들 하시네요",) * 40):
        yield predict({"text": " ".join(sentences)})


def many_texts() -> Iterator[Request]:
    waiting = list(texts())
    for size in (1, 2, 3, 5, 8, 13):
        for start in (0, 20, 40):
            yield predict({"texts": waiting[start : start + size]})
    yield predict({"texts": [*waiting[:3], "", 7, None, True, 1.5, 1e100, [1, "둘"], {"셋": None}, *waiting[3:6]]})
    yield Request("POST", "/predict", '{"texts": ["좋아요", "\\ud800", "싫어요"]}'.encode(), JSON)


def refused_texts() -> Iterator[Request]:
    no_texts: list[object] = ["", "  \n ", "\u3164", 7, 1.5, None, True, [], {}, "가" * 10_001, "가나다라 " * 1999]
    for body in (
        *({"text": text} for text in no_texts),
        *({"texts": value} for value in ([], "a", None, ["", 7], ["가"] * 1001, [None])),
        {},
        {"text": "a", "texts": ["b"]},
        ["a"],
        "a",
    ):
        yield predict(body)
    for raw in (b'{"text": "a"', b"", b"[" * 60_000, '{"text": "한글"}'.encode("cp949"), b'{"text": "\\ud800"}'):
        yield Request("POST", "/predict", raw, JSON)
    yield Request("POST", "/predict", b"\xef\xbb\xbf" + b'{"text": "ok"}', JSON)
    yield Request("POST", "/predict", b'{"text": "ok"}', {"content-type": "application/vnd.api+json"})
    for content_type in ("text/plain", "application/x-www-form-urlencoded", ""):
        yield Request("POST", "/predict", b'{"text": "a"}', {"content-type": content_type} if content_type else {})
    yield Request("POST", "/predict", b'{"text": "' + b"a" * 9_000_000 + b'"}', JSON)


def pages() -> Iterator[Request]:
    for method, path in (
        ("GET", "/"),
        ("GET", "/health"),
        ("GET", "/ready"),
        ("GET", "/nowhere"),
        ("GET", "/predict"),
        ("DELETE", "/predict"),
        ("GET", "/jobs/job_unknown"),
        ("DELETE", "/jobs/job_unknown"),
        ("POST", "/jobs/job_unknown/cancel"),
        ("GET", "/jobs/job_unknown/results"),
        ("GET", "/jobs?limit=0"),
        ("GET", "/jobs?after=job_unknown"),
    ):
        yield Request(method, path)


def jobs() -> Iterator[Request]:
    """Each upload, its end, and its results in every form."""
    rows = list(itertools.islice(texts(), 30))
    table = "\n".join(["no,댓글,score", *(f'{number},"{row}",1.10' for number, row in enumerate(COMMENTS, 1)), "9,,"])
    lines = "\n".join([*(json.dumps({"id": row[:3], "text": row, "n": 2**60}) for row in rows), "{}", "no json", '""'])
    uploads: tuple[tuple[str, bytes, dict[str, str], str], ...] = (
        ("/jobs", json.dumps({"texts": rows, "metadata": {"board": "free"}}).encode(), JSON, "jsonl"),
        ("/jobs", json.dumps({"items": [{"id": 1, "text": rows[0]}, {"id": 2}]}).encode(), JSON, "csv"),
        ("/jobs?format=csv&file_name=comments.csv", table.encode("cp949", "replace"), {}, "csv"),
        ("/jobs?format=jsonl&id_column=id", lines.encode(), {}, "tsv"),
        ("/jobs?format=txt", "\n".join(rows[:20]).encode(), {"content-type": "text/plain"}, "jsonl"),
    )
    for path, body, headers, form in uploads:
        yield Request("POST", path, body, headers)
        yield Request("GET", "/jobs/{job}?wait=60")
        yield Request("GET", f"/jobs/{{job}}/results?format={form}")
        yield Request("GET", "/jobs/{job}/results?format=jsonl&cursor=2&limit=3")
        yield Request("GET", "/jobs/{job}/errors")
    yield Request("POST", "/jobs/{job}/cancel")
    yield Request("GET", "/jobs/{job}/results?format=xml")
    yield Request("GET", "/jobs?limit=2")
    yield Request("DELETE", "/jobs/{job}")
    yield Request("GET", "/jobs/{job}")
    for path, body, headers in (
        ("/jobs?format=csv", b"", {}),
        ("/jobs?format=csv", b"a,b\n1,2\n", {}),
        ("/jobs?format=xml", b"text\nx\n", {}),
        ("/jobs", b"{", JSON),
        ("/jobs", b'{"texts": []}', JSON),
        ("/jobs?colour=red&format=txt", b"x\n", {}),
        ("/jobs?format=txt&webhook_url=https://example.com/", b"x\n", {}),
        ("/jobs", b"x\n", {"content-type": "application/x-www-form-urlencoded"}),
    ):
        yield Request("POST", path, body, headers)


def requests() -> list[Request]:
    return [*single_texts(), *many_texts(), *long_texts(), *refused_texts(), *pages(), *jobs()]


def record(checkout: Path, model: str, count: int | None) -> list[dict[str, object]]:
    """The replies of the code in `checkout`, masked."""
    with tempfile.TemporaryDirectory(prefix="kr-") as folder:
        stack = Stack(Path(folder), model, checkout=checkout, model_threads=1)
        try:
            stack.start(worker_module="worker.main")
            return list(_send(stack, requests()[:count]))
        finally:
            stack.stop()


def _send(stack: Stack, planned: Sequence[Request]) -> Iterator[dict[str, object]]:
    job = ""
    with httpx.Client(base_url=stack.url, timeout=120) as client:
        for number, request in enumerate(planned):
            headers = {**request.headers, "x-request-id": f"request-{number}"}
            path = request.path.replace("{job}", job)
            answer = client.request(request.method, path, content=request.body, headers=headers)
            if answer.status_code == httpx.codes.ACCEPTED:
                job = answer.json()["id"]
            held = {name: _masked(answer.headers[name]) for name in HELD_TO if name in answer.headers}
            yield {
                "request": f"{request.method} {request.path} {request.body[:300].decode('utf-8', 'replace')}",
                "status": answer.status_code,
                "headers": held,
                "body": _masked(answer.content.decode("utf-8", "backslashreplace")),
            }


def _masked(text: str) -> str:
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return text


def differences(before: Sequence[dict[str, object]], after: Sequence[dict[str, object]]) -> Iterator[str]:
    if len(before) != len(after):
        yield f"{len(before)} replies before, {len(after)} after"
    for old, new in zip(before, after, strict=False):
        was, now = _line(old), _line(new)
        if was != now:
            start = max(0, _common_chars(was, now) - SHOWN_BEFORE)
            shown = (f"{sign} {line[start : start + SHOWN_CHARS]}" for sign, line in (("-", was), ("+", now)))
            yield "\n".join([str(new["request"])[:SHOWN_CHARS], *shown])


def _common_chars(first: str, second: str) -> int:
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _line(reply: dict[str, object]) -> str:
    return f"{reply['status']} {reply['headers']} {reply['body']}"


def _read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def _compare(before: Sequence[dict[str, object]], after: Sequence[dict[str, object]]) -> int:
    found = list(differences(before, after))
    for difference in found:
        print(difference)
    print(f"{len(after)} replies, {len(found)} differ")
    return 1 if found else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, default=ROOT, help="whose code answers")
    parser.add_argument("--model", default="", help="what that code serves instead of its embedded model")
    parser.add_argument("--output", type=Path, help="write the replies here, one a line")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"))
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        first, second = (record(options.checkout, options.model, SMOKE_REQUESTS) for _ in range(2))
        return _compare(first, second)
    if options.compare:
        return _compare(*map(_read, options.compare))
    replies = record(options.checkout.resolve(), options.model, None)
    lines = "".join(json.dumps(reply, ensure_ascii=False) + "\n" for reply in replies)
    if options.output is None:
        parser.error("say where to write the replies: --output FILE")
    options.output.write_text(lines)
    print(f"{len(replies)} replies in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
