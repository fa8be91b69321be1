"""`kobert jobs`: what is refused before the upload, what is sent, and how to come back to a job."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import wcwidth

from tests.support.answers import AnsweringServer, Asked, Reply, job, refusal
from tests.support.command import run_command
from tests.support.stack import CLEAN_ENVIRONMENT, ROOT

pytestmark = pytest.mark.integration

RESULTS = b"text,classification\n"


def answer(asked: Asked) -> Reply:
    if asked.path.endswith("/results"):
        return Reply(content=RESULTS)
    return Reply(202 if asked.method == "POST" else 200, job())


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    with AnsweringServer(answer).running() as running:
        yield running


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "댓글.csv"
    file.write_text("text\n가\n")
    return file


@pytest.mark.parametrize("name", ["v.xls", "v.json", "v.xlsx.gz", "v.zip", "nowhere/v.csv", "댓글.csv", "."])
def test_an_output_that_cannot_be_written_is_found_before_the_upload(
    server: AnsweringServer, table: Path, tmp_path: Path, name: str
) -> None:
    ended = run_command("jobs", "--url", server.url, "submit", table, "-o", tmp_path / name)
    assert ended.returncode in {1, 2}
    assert ended.stderr
    assert not server.asked
    assert table.read_text() == "text\n가\n"


@pytest.mark.parametrize(
    ("name", "asked_for"), [("v.xlsx", "xlsx"), ("v.csv", "csv"), ("v.tab", "tsv"), ("v.ndjson", "jsonl"), ("v", None)]
)
def test_results_are_asked_for_in_the_format_of_the_name(
    server: AnsweringServer, table: Path, tmp_path: Path, name: str, asked_for: str | None
) -> None:
    ended = run_command("jobs", "--url", server.url, "submit", table, "-o", tmp_path / name)
    assert ended.returncode == 0, ended.stderr.decode()
    assert server.asked[-1].query.get("format") == asked_for
    assert (tmp_path / name).read_bytes() == RESULTS


def test_results_can_be_defused_and_a_job_judged_strictly(server: AnsweringServer, table: Path, tmp_path: Path) -> None:
    words: list[str | Path] = [
        "--safe",
        "--strictness",
        "lenient",
        "--threshold",
        "욕설=0.6",
        "--sheet",
        "2",
        "--header-row",
        "3",
        "-o",
        tmp_path / "v.csv",
    ]
    ended = run_command("jobs", "--url", server.url, "submit", table, *words)
    assert ended.returncode == 0, ended.stderr.decode()
    sent = server.asked[0]
    assert (sent.query["strictness"], sent.query["thresholds"]) == ("lenient", '{"욕설": 0.6}')
    assert (sent.query["file_name"], sent.query["sheet"], sent.body) == ("댓글.csv", "2", "text\n가\n".encode())
    assert sent.query["header_row"] == "3"
    assert server.asked[-1].query["safe"] == "true"


def test_standard_input_is_sent_as_it_comes(server: AnsweringServer) -> None:
    ended = run_command("jobs", "--url", server.url, "submit", "-", "--format", "txt", piped="가\n나\n".encode())
    assert ended.returncode == 0, ended.stderr.decode()
    assert server.asked[0].body == "가\n나\n".encode()
    assert server.asked[0].headers["transfer-encoding"] == "chunked"
    assert "file_name" not in server.asked[0].query


def test_standard_input_must_be_named_before_it_is_read(server: AnsweringServer) -> None:
    ended = run_command("jobs", "--url", server.url, "submit", "-", piped=b"x")
    assert ended.returncode == 2
    assert "--format" in ended.stderr.decode()
    assert not server.asked


def test_a_named_pipe_is_sent_whole(server: AnsweringServer, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"line\n" * 1_000,))
    writer.start()
    ended = run_command("jobs", "--url", server.url, "submit", pipe, "--detach")
    writer.join()
    assert ended.returncode == 0, ended.stderr.decode()
    assert server.asked[0].body == b"line\n" * 1_000


@pytest.mark.parametrize(("raw", "name"), [("댓글".encode("cp949"), "댓글"), (b"\xff\xfe\xff", "\ufffd\ufffd\ufffd")])
def test_a_file_name_that_is_not_utf8_is_sent_and_shown(
    server: AnsweringServer, tmp_path: Path, raw: bytes, name: str
) -> None:
    file = os.fsdecode(os.fsencode(tmp_path) + b"/" + raw + b".csv")
    Path(file).write_text("text\n가\n")
    output = os.fsdecode(os.fsencode(tmp_path) + b"/out-" + raw + b".csv")
    ended = run_command("jobs", "--url", server.url, "submit", file, "-o", output)
    assert ended.returncode == 0, ended.stderr.decode()
    assert server.asked[0].query["file_name"] == f"{name}.csv"
    assert Path(output).read_bytes() == RESULTS


def test_a_refusal_speaks_of_options_as_they_are_typed(table: Path) -> None:
    said = refusal(422, "which column holds the text? Say text_column=NAME", "text_column")
    with AnsweringServer(lambda _: said).running() as server:
        ended = run_command("jobs", "--url", server.url, "submit", table)
    assert ended.returncode == 1
    assert ended.stderr.decode().splitlines()[-1] == "kobert: which column holds the text? Say --text-column NAME"


def test_a_list_lines_up_with_names_dates_rows_and_progress() -> None:
    counts = {"total": 2_000_000, "completed": 500_000, "failed": 0}
    page = [
        job(id="job_1", file_name="댓글 모음.csv"),
        job(id="job_22", file_name=None, status="in_progress", request_counts=counts),
        job(id="job_3", file_name="b.csv\x1b[2J"),
    ]
    with AnsweringServer(lambda _: Reply(content={"data": page})).running() as server:
        ended = run_command("jobs", "--url", server.url, "list")
    header, *lines = ended.stdout.decode().splitlines()
    assert header.split() == ["ID", "STATUS", "CREATED", "ROWS", "DONE", "FILE"]
    assert lines[1].split()[-3:] == ["2,000,000", "25%", "-"]
    assert lines[0].split()[2].count("-") == 2
    # The first cell of every file name, counted in cells of the terminal.
    starts = {wcwidth.width(line[: line.rindex("%") + 3]) for line in lines}
    assert starts == {header.index("FILE")}
    assert "\x1b" not in ended.stdout.decode()


@pytest.mark.parametrize("job_id", ["없는 작업", "a/../b", "x?y=1", "\udcff"])
def test_whatever_is_typed_as_an_id_stays_one_part_of_the_path(server: AnsweringServer, job_id: str) -> None:
    assert run_command("jobs", "--url", server.url, "status", job_id).returncode == 0
    (asked,) = server.asked
    assert asked.path.startswith("/jobs/")
    assert asked.path.count("/") == 2
    assert not asked.query


def test_a_job_that_did_not_complete_ends_with_1_and_its_results(table: Path, tmp_path: Path) -> None:
    def cancelled(asked: Asked) -> Reply:
        return answer(asked) if asked.path.endswith("/results") else Reply(content=job(status="cancelled"))

    with AnsweringServer(cancelled).running() as server:
        ended = run_command("jobs", "--url", server.url, "watch", "job_1", "-o", tmp_path / "v.csv")
    assert ended.returncode == 1
    assert (tmp_path / "v.csv").read_bytes() == RESULTS


@pytest.mark.parametrize("words", [["submit", "{table}"], ["watch", "job_1"], ["status", "--watch", "job_1"]])
def test_ctrl_c_says_that_the_job_runs_on_and_how_to_come_back(table: Path, words: list[str]) -> None:
    polled = threading.Event()

    def running(asked: Asked) -> Reply:
        if "wait" in asked.query:
            polled.set()
        return Reply(content=job(status="in_progress", request_counts={"total": 9, "completed": 1, "failed": 0}))

    with AnsweringServer(running).running() as server:
        given = [word.format(table=table) for word in words]
        command = [sys.executable, "-m", "cli.main", "jobs", "--url", server.url, *given]
        with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=ROOT, env=CLEAN_ENVIRONMENT) as process:
            assert polled.wait(60)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "The job runs on." in said.decode()
    assert "kobert jobs watch job_1" in said.decode()
    assert "Aborted" not in said.decode()


def test_a_results_file_that_fails_says_how_to_fetch_it_again(table: Path) -> None:
    ended_job = Reply(content=job())

    def lost(asked: Asked) -> Reply:
        return refusal(503, "the store is gone") if asked.path.endswith("/results") else ended_job

    with AnsweringServer(lost).running() as server:
        ended = run_command("jobs", "--url", server.url, "submit", table, "-o", table.with_name("v.csv"))
    assert ended.returncode == 1
    assert "the store is gone" in ended.stderr.decode()
    assert "kobert jobs results job_1 -o FILE" in ended.stderr.decode()
