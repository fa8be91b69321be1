"""`kobert predict`: what goes on the wire, what comes out, and how it ends."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.answers import AnsweringServer, Asked, Reply, refusal
from tests.support.command import run_command
from tests.support.stack import CLEAN_ENVIRONMENT, ROOT

pytestmark = pytest.mark.integration

MAX_TEXTS = 40


def verdict(text: str) -> dict:
    word = "curse" if "씨발" in text else "clean"
    return {"text": text, "classification": word, "confidence": 0.9, "scores": {word: 0.9}, "labels": [word]}


def answer(asked: Asked) -> Reply:
    """As the service: an empty text is refused by its place, alone in its request altogether."""
    if asked.path.endswith("/info"):
        return Reply(content={"model": {"clean_label": "clean"}})
    texts = asked.json()["texts"]
    if len(texts) > MAX_TEXTS:
        return refusal(413, f"at most {MAX_TEXTS} texts are taken", "texts", "too_large")
    if not any(texts):
        return refusal(422, "texts[0] is empty or blank; there is nothing to classify", "texts[0]", "empty_text")
    results = [
        verdict(text)
        if text
        else {"text": text, "error": {"code": "empty_text", "message": f"texts[{n}] is empty", "param": f"texts[{n}]"}}
        for n, text in enumerate(texts)
    ]
    return Reply(content={"results": results})


@pytest.fixture
def server() -> Iterator[AnsweringServer]:
    with AnsweringServer(answer).running() as running:
        yield running


def lines(output: bytes) -> list[dict]:
    return [json.loads(line) for line in output.decode().splitlines()]


def test_arguments_come_back_as_json_lines_in_a_pipe(server: AnsweringServer) -> None:
    ended = run_command("predict", "--url", server.url, "안녕하세요", "씨발 꺼져")
    assert ended.returncode == 0, ended.stderr.decode()
    assert lines(ended.stdout) == [verdict("안녕하세요"), verdict("씨발 꺼져")]
    assert ended.stderr == b""
    assert server.asked[0].json() == {"texts": ["안녕하세요", "씨발 꺼져"]}


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-8-sig"])
@pytest.mark.parametrize("words", [[], ["-"], ["--file", "-"]])
def test_the_lines_of_a_pipe_are_read_in_whatever_encoding(
    server: AnsweringServer, words: list[str], encoding: str
) -> None:
    piped = "\n".join([f"{number}번째 댓글" for number in range(150)]).encode(encoding)
    ended = run_command("predict", "--url", server.url, *words, piped=piped)
    assert ended.returncode == 0, ended.stderr.decode()
    assert [line["text"] for line in lines(ended.stdout)] == [f"{number}번째 댓글" for number in range(150)]
    assert all(len(asked.json()["texts"]) <= 64 for asked in server.asked)


def test_a_table_is_read_by_its_text_column(server: AnsweringServer, tmp_path: Path) -> None:
    file = tmp_path / "댓글.csv"
    file.write_bytes('번호,무엇\n1,"좋아요, 또 볼게요"\n2,안녕\n'.encode("cp949"))
    ended = run_command("predict", "--url", server.url, "--file", file, "--text-column", "무엇")
    assert [line["text"] for line in lines(ended.stdout)] == ["좋아요, 또 볼게요", "안녕"]
    unknown = run_command("predict", "--url", server.url, "--file", file)
    assert unknown.returncode == 1
    assert "--text-column" in unknown.stderr.decode()
    assert "text_column" not in unknown.stderr.decode()


def test_strictness_and_thresholds_are_passed_on(server: AnsweringServer) -> None:
    words = ["--strictness", "strict", "--threshold", "curse=0.6", "--threshold", "hate/gender=0.25"]
    assert run_command("predict", "--url", server.url, *words, "가").returncode == 0
    assert server.asked[0].json() == {
        "texts": ["가"],
        "strictness": "strict",
        "thresholds": {"curse": 0.6, "hate/gender": 0.25},
    }


@pytest.mark.parametrize("value", ["curse", "curse=", "=0.5", "curse=1.5", "curse=-0.1", "curse=nan", "curse=높음"])
def test_what_is_no_threshold_is_a_wrong_command(server: AnsweringServer, value: str) -> None:
    ended = run_command("predict", "--url", server.url, "--threshold", value, "가")
    assert ended.returncode == 2
    assert "curse=0.6" in ended.stderr.decode()
    assert not server.asked


def test_a_text_without_a_verdict_keeps_its_place_and_its_name_and_ends_with_3(server: AnsweringServer) -> None:
    ended = run_command("predict", "--url", server.url, "가", "", "나")
    assert ended.returncode == 3
    first, second, third = lines(ended.stdout)
    assert (first["classification"], third["classification"]) == ("clean", "clean")
    assert second["error"] == {"code": "empty_text", "message": "text 2 is empty", "param": "text 2"}


def test_texts_of_which_none_has_a_verdict_are_no_refusal_of_the_command(server: AnsweringServer) -> None:
    ended = run_command("predict", "--url", server.url, "", "")
    assert ended.returncode == 3, ended.stderr.decode()
    assert [line["error"]["param"] for line in lines(ended.stdout)] == ["text 1", "text 2"]
    assert "text 2 is empty or blank" in lines(ended.stdout)[1]["error"]["message"]


def test_a_broken_line_of_a_file_is_named_and_the_others_are_answered(server: AnsweringServer, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id,text\n1,가\n2,나,다,라\n3,마\n")
    ended = run_command("predict", "--url", server.url, "--file", file)
    assert ended.returncode == 3
    assert [line.get("classification") for line in lines(ended.stdout)] == ["clean", None, "clean"]
    assert lines(ended.stdout)[1]["error"]["param"] == "line 3"


def test_bytes_that_are_no_text_are_sent_as_what_they_are(server: AnsweringServer) -> None:
    ended = run_command("predict", "--url", server.url, "\udcff\udcfe ok")
    assert ended.returncode == 0, ended.stderr.decode()
    assert server.asked[0].body == b'{"texts": ["\\udcff\\udcfe ok"]}'


def test_a_refusal_is_one_sentence_and_ends_with_1() -> None:
    with AnsweringServer(lambda _: refusal(422, "thresholds=x names no label", "thresholds")).running() as server:
        ended = run_command("predict", "--url", server.url, "가", "나")
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert ended.stderr.decode() == "kobert: --threshold x names no label\n"
    assert len(server.asked) == 1


def test_a_busy_service_is_asked_again() -> None:
    replies = [refusal(429, "too much"), refusal(503, "no worker"), Reply(content={"results": [verdict("가")]})]
    with AnsweringServer(lambda _: replies.pop(0)).running() as server:
        ended = run_command("predict", "--url", server.url, "가")
    assert ended.returncode == 0, ended.stderr.decode()
    assert len(server.asked) == 3


def test_the_key_and_the_address_come_from_the_environment_with_its_prefix(server: AnsweringServer) -> None:
    ended = run_command("predict", "가", KOBERT_URL=f"{server.url}/board/kobert/", KOBERT_API_KEY="my-key")
    assert ended.returncode == 0, ended.stderr.decode()
    assert server.asked[0].path == "/board/kobert/predict"
    assert server.asked[0].headers["authorization"] == "Bearer my-key"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"KOBERT_URL": "http://127.0.0.1:1"}, "does not answer (Connection refused)"),
        ({"KOBERT_URL": "http://no-such-host.invalid"}, "no such host"),
        ({"KOBERT_URL": "http://" + "x" * 300}, "no such host"),
        ({"KOBERT_URL": "127.0.0.1:8000"}, "write http://host:port"),
        ({"KOBERT_API_KEY": "비밀"}, "has a character that no key has"),
    ],
)
def test_a_wrong_address_or_key_is_one_sentence(environment: dict[str, Any], sentence: str) -> None:
    ended = run_command("predict", "가", **environment)
    assert ended.returncode == 1
    assert sentence in ended.stderr.decode()
    assert ended.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (refusal(401, "send a key"), "set KOBERT_API_KEY"),
        (Reply(301, b"", {"Location": "https://elsewhere/predict"}), "sends on to https://elsewhere/predict"),
        (Reply(200, b"<html>hello</html>"), "does not answer as this service does"),
        (Reply(404, b"<html>nothing</html>"), "does not answer as this service does"),
        (Reply(400, [1]), "does not answer as this service does"),
    ],
)
def test_another_server_is_told_from_this_service(reply: Reply, sentence: str) -> None:
    with AnsweringServer(lambda _: reply).running() as server:
        ended = run_command("predict", "가", KOBERT_URL=server.url)
    assert ended.returncode == 1
    assert sentence in ended.stderr.decode()
    assert b"Traceback" not in ended.stderr


def on_terminal(*words: str, columns: int = 60, **environment: str) -> str:
    """What the command shows on a terminal."""
    controller, terminal = pty.openpty()
    settings = {**CLEAN_ENVIRONMENT, "COLUMNS": str(columns), "TERM": "xterm", **environment}
    command = [sys.executable, "-m", "cli.main", *words]
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=subprocess.PIPE, env=settings, cwd=ROOT):
        os.close(terminal)
        shown = b""
        while True:
            try:
                piece = os.read(controller, 1 << 16)
            except OSError:
                break
            if not piece:
                break
            shown += piece
    os.close(controller)
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_gets_a_table_in_colour(server: AnsweringServer) -> None:
    shown = on_terminal("predict", "--url", server.url, "안녕", "씨발" + "아" * 40, "\x1b[2J지우기")
    first, second, third = shown.splitlines()
    assert "\x1b[32m" in first
    assert "clean" in first
    assert "\x1b[31m" in second
    assert second.endswith("…")
    assert "0.900" in third
    assert "\x1b[2J" not in third


def test_colour_can_be_turned_off(server: AnsweringServer) -> None:
    assert "\x1b" not in on_terminal("predict", "--url", server.url, "안녕", NO_COLOR="1")


def test_without_a_text_a_terminal_is_told_what_to_type(server: AnsweringServer) -> None:
    controller, terminal = pty.openpty()
    ended = subprocess.run(
        [sys.executable, "-m", "cli.main", "predict"], stdin=terminal, capture_output=True, cwd=ROOT, check=False
    )
    os.close(controller)
    os.close(terminal)
    assert ended.returncode == 2
    assert "There is no text" in ended.stderr.decode()


def test_a_table_below_its_title_is_read_from_the_line_that_is_named(server: AnsweringServer, tmp_path: Path) -> None:
    file = tmp_path / "댓글.csv"
    file.write_text("2024년 댓글 목록,\n번호,댓글\n1,좋아요\n")
    refused = run_command("predict", "--url", server.url, "--file", file)
    assert (refused.returncode, "say --header-row 2" in refused.stderr.decode()) == (1, True)
    ended = run_command("predict", "--url", server.url, "--file", file, "--header-row", "2")
    assert [line["text"] for line in lines(ended.stdout)] == ["좋아요"]
