"""`kobert jobs` and `kobert predict` against a real service."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.jobs import (
    assert_own_verdicts,
    table_of,
)
from tests.support.stack import ROOT, Stack

pytestmark = pytest.mark.integration


def run_kobert(stack: Stack, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "cli.main", "jobs", "--url", stack.url, *map(str, words)]
    return subprocess.run(command, capture_output=True, timeout=90, check=False, cwd=ROOT)


def test_the_command_sends_a_file_and_brings_the_verdicts_back(stack: Stack, tmp_path: Path) -> None:
    source, target = tmp_path / "댓글.csv", tmp_path / "판정.csv"
    source.write_bytes("번호,댓글\n1,안녕하세요\n2,반갑습니다\n".encode("cp949"))

    sent = run_kobert(stack, "submit", source, "-o", target)

    assert sent.returncode == 0, sent.stderr.decode()
    job_id = sent.stdout.decode().strip()
    assert [row[:2] for row in table_of(target.read_bytes())] == [
        ["번호", "댓글"],
        ["1", "안녕하세요"],
        ["2", "반갑습니다"],
    ]
    assert "2 of 2 rows" in run_kobert(stack, "status", job_id).stdout.decode()
    lines = run_kobert(stack, "results", job_id, "--format", "jsonl").stdout.decode().splitlines()
    assert [json.loads(line)["댓글"] for line in lines] == ["안녕하세요", "반갑습니다"]
    assert job_id in run_kobert(stack, "list").stdout.decode()
    refused = run_kobert(stack, "cancel", job_id)
    assert (refused.returncode, refused.stderr.decode().count("\n")) == (1, 1)
    assert run_kobert(stack, "delete", job_id).returncode == 0
    gone = run_kobert(stack, "status", job_id)
    assert (gone.returncode, "there is no job" in gone.stderr.decode()) == (1, True)


def test_the_command_hears_a_refusal_in_the_middle_of_a_large_upload(stack: Stack, tmp_path: Path) -> None:
    source = tmp_path / "large.csv"
    source.write_bytes(b"a,b\n" + b"1,2\n" * (8 << 20))

    refused = run_kobert(stack, "submit", source)

    assert refused.returncode == 1
    last = refused.stderr.decode().splitlines()[-1]
    assert last.startswith("kobert: which column holds the text? Say --text-column NAME")


def test_the_command_reads_standard_input_and_packs_what_it_writes(stack: Stack, tmp_path: Path) -> None:
    texts = [f"파이프 {number}" for number in range(300)]
    command = [sys.executable, "-m", "cli.main", "jobs", "--url", stack.url, "submit", "-", "--format", "txt"]
    target = tmp_path / "v.jsonl.gz"
    sent = subprocess.run(
        [*command, "-o", target],
        input="\n".join(texts).encode(),
        capture_output=True,
        timeout=90,
        check=False,
        cwd=ROOT,
    )
    assert sent.returncode == 0, sent.stderr.decode()
    lines = [json.loads(line) for line in gzip.decompress(target.read_bytes()).splitlines()]
    assert_own_verdicts(lines, texts)


def test_the_command_predicts_what_the_service_predicts(stack: Stack) -> None:
    texts = [f"한 줄 {number}" for number in range(200)]
    command = [sys.executable, "-m", "cli.main", "predict", "--url", stack.url]
    ended = subprocess.run(
        command, input="\n".join(texts).encode(), capture_output=True, timeout=90, check=False, cwd=ROOT
    )
    assert ended.returncode == 0, ended.stderr.decode()
    expected = httpx.post(f"{stack.url}/predict", json={"texts": texts}).json()["results"]
    assert [json.loads(line) for line in ended.stdout.splitlines()] == expected
