"""Files through bulk jobs: encodings, formats, broken lines, downloads that are taken up again."""

import csv
import gzip
import io
import json

import httpx
import pytest

from tests.support.jobs import (
    assert_own_verdicts,
    finish,
    result_lines,
    results,
    submit,
    submit_texts,
    table_of,
)
from tests.support.stack import Stack

pytestmark = pytest.mark.integration


def test_a_cp949_csv_comes_back_whole_with_its_columns(stack: Stack) -> None:
    rows = [[str(n), f'말 "{n}"\n둘째 줄, 쉼표 똠방각하', "가게,둘"] for n in range(120)]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["번호", "댓글", "매장"], *rows])
    file = {"file": ("댓글 모음.csv", text.getvalue().encode("cp949"))}

    answer = httpx.post(f"{stack.url}/jobs", files=file, data={"id_column": "번호"})
    job = finish(stack, answer.json())
    answer = results(stack, job)

    header, *cells = table_of(answer.content)
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert header[:6] == ["번호", "댓글", "매장", "classification", "confidence", "labels"]
    assert [row[:3] for row in cells] == rows
    assert (job["encoding"], job["text_column"]) == ("cp949", "댓글")
    assert "%EB%8C%93%EA%B8%80_%EB%AA%A8%EC%9D%8C" in answer.headers["content-disposition"].replace("%20", "_")


def test_a_utf8_csv_keeps_its_emoji_and_as_jsonl_its_columns_are_fields(stack: Stack) -> None:
    job = finish(stack, submit(stack, "text,classification\n좋아요 🙂,mine\n".encode(), format="csv"))

    assert table_of(results(stack, job).content)[0][2] == "kobert_classification"
    (line,) = result_lines(stack, job)
    assert (line["text"], line["classification"]) == ("좋아요 🙂", "mine")
    assert line["kobert_classification"] in {"clean", "curse", "insult", "hate"}


def test_three_broken_lines_of_ten_thousand_are_named_and_the_others_answered(stack: Stack) -> None:
    texts = [f"정상 댓글 {number}" for number in range(10_000)]
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    for broken in (7, 5_000, 9_999):
        lines[broken] = lines[broken][:-3]
    body = gzip.compress("\n".join(lines).encode())

    job = finish(stack, submit(stack, body, format="jsonl"))

    assert job["request_counts"] == {"total": 10_000, "completed": 9_997, "failed": 3}
    assert [error["line"] for error in job["errors"]["data"]] == [8, 5_001, 10_000]
    errors = httpx.get(f"{stack.url}/jobs/{job['id']}/errors").text.splitlines()
    assert [json.loads(line)["error"]["code"] for line in errors] == ["malformed_json"] * 3
    assert [json.loads(line)["row"] for line in errors] == [8, 5_001, 10_000]
    good = [line for line in result_lines(stack, job) if "error" not in line]
    assert [line["text"] for line in good] == [text for n, text in enumerate(texts) if n not in {7, 5_000, 9_999}]


def test_a_broken_download_goes_on_where_it_stopped(stack: Stack) -> None:
    texts = [f"이어받기 {number}" for number in range(333)]
    job = finish(stack, submit_texts(stack, texts))

    lines = result_lines(stack, job, limit=120)
    while len(lines) < len(texts):
        lines += result_lines(stack, job, cursor=lines[-1]["row"], limit=77)

    assert_own_verdicts(lines, texts)


def test_rows_can_be_read_from_the_end_and_a_search_be_bounded(stack: Stack) -> None:
    texts = [f"끝에서 {number}" for number in range(1, 601)]
    job = finish(stack, submit_texts(stack, texts))

    def rows(**query: object) -> list[int]:
        return [line["row"] for line in result_lines(stack, job, **query)]

    assert rows(last="true", limit=50) == list(range(551, 601))
    assert rows(last="true", limit=1_000) == list(range(1, 601))
    assert rows(last="true", limit=3, before=551) == [548, 549, 550]
    assert rows(last="true", limit=9, cursor=255, before=258) == [256, 257]
    assert rows(cursor=254, before=259) == [255, 256, 257, 258]
    assert rows(before=1) == rows(last="true", limit=5, cursor=600) == []
    assert rows(last="true", limit=2, contains="77") == [477, 577]
    assert rows(last="true", limit=2, contains="77", before=477) == [277, 377]
    assert rows(limit=2, contains="99", before=300) == [99, 199]
    assert table_of(results(stack, job, format="csv", last="true", limit=1).content)[1][0] == "끝에서 600"


def test_a_spreadsheet_can_be_protected_from_formulas(stack: Stack) -> None:
    job = finish(stack, submit(stack, b"text,link\n=1+1,@x\n", format="csv"))
    assert table_of(results(stack, job).content)[1][:2] == ["=1+1", "@x"]
    assert table_of(results(stack, job, safe="true").content)[1][:2] == ["'=1+1", "'@x"]


def test_tsv_goes_in_and_out(stack: Stack) -> None:
    job = finish(stack, submit(stack, "a\t댓글\n1\t쉼표, 하나\n".encode(), format="tsv"))
    assert table_of(results(stack, job).content, "\t")[1][:2] == ["1", "쉼표, 하나"]


def test_parquet_comes_back_with_its_columns_in_their_types(stack: Stack) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {
        "no": arrow.array(range(300), arrow.int64()),
        "댓글": [f"글 {number}" for number in range(299)] + [None],
        "at": arrow.array([1_700_000_000_000_000] * 300, arrow.timestamp("us")),
        "price": [1.5, None] * 150,
        "text_2": ["", "x"] * 150,
    }
    source = io.BytesIO()
    parquet.write_table(arrow.table(columns), source)

    answer = httpx.post(f"{stack.url}/jobs", files={"file": ("a.parquet", source.getvalue())})
    job = finish(stack, answer.json())
    back = parquet.read_table(io.BytesIO(results(stack, job).content))

    assert job["request_counts"] == {"total": 300, "completed": 299, "failed": 1}
    for name in ("no", "at", "price", "text_2"):
        assert back.column(name).to_pylist() == arrow.table(columns).column(name).to_pylist(), name
        assert back.schema.field(name).type == arrow.table(columns).schema.field(name).type
    assert set(back.column("classification").to_pylist()) <= {"clean", "curse", "insult", "hate", None}
    assert back.column("error").to_pylist()[-1].startswith("not_a_string")
    partly = httpx.get(
        f"{stack.url}/jobs/{job['id']}/results", params={"format": "parquet"}, headers={"Range": "bytes=0-3"}
    )
    assert (partly.status_code, partly.content) == (206, b"PAR1")


def test_a_table_below_its_title_is_a_job_once_its_names_are_said(stack: Stack) -> None:
    rows = [[str(n), "" if n in {7, 111} else f"댓글 {n}", "가게"] for n in range(120)]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["2024년 댓글 목록", "", ""], [], ["번호", "댓글", "매장"], *rows])
    file = {"file": ("댓글 모음.csv", text.getvalue().encode("cp949"))}

    for path in ("jobs", "jobs/preview"):
        refused = httpx.post(f"{stack.url}/{path}", files=file)
        assert (refused.status_code, refused.json()["error"]["param"]) == (422, "header_row")
        assert "say header_row=3" in refused.json()["error"]["message"]
    preview = httpx.post(f"{stack.url}/jobs/preview", files=file, params={"header_row": 3}).json()
    assert (preview["columns"], preview["header_row"]) == (["번호", "댓글", "매장"], 3)
    assert [row["line"] for row in preview["rows"][:2]] == [4, 5]

    job = finish(stack, httpx.post(f"{stack.url}/jobs", files=file, data={"header_row": "3"}).json())
    assert (job["header_row"], job["text_column"]) == (3, "댓글")
    assert job["request_counts"] == {"total": 120, "completed": 118, "failed": 2}
    assert [(fault["row"], fault["line"]) for fault in job["errors"]["data"]] == [(8, 11), (112, 115)]
    header, *cells = table_of(results(stack, job).content)
    assert header[:4] == ["번호", "댓글", "매장", "classification"]
    assert [row[:3] for row in cells] == rows


@pytest.mark.parametrize("said", ["0", "-1", "abc", "101", "50"])
def test_a_line_that_cannot_have_the_names_is_refused(stack: Stack, said: str) -> None:
    answer = httpx.post(f"{stack.url}/jobs", params={"format": "csv", "header_row": said}, content=b"text\na\n")
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "header_row")
