"""`kobert_client`, blocking and awaited, against the service; and as the distribution that users install."""

import asyncio
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kobert_client import ApiError, AsyncClient, Client, Failure, Job, Prediction
from tests.support.doors import BAD, CLEAN, KEY, plain_verdicts, sample_texts
from tests.support.stack import ROOT, Stack, running_stack

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def client(service: Stack) -> Iterator[Client]:
    with Client(service.url, api_key=KEY) as opened:
        yield opened


def test_one_text_has_a_prediction(client: Client) -> None:
    found = client.predict(BAD, strictness="lenient")

    assert found.text == BAD
    assert found.classification in {"curse", "insult"}
    assert found.scores[found.classification] == found.confidence
    with pytest.raises(ApiError, match="text is empty") as caught:
        client.predict(" ")
    assert (caught.value.status, caught.value.code, caught.value.param) == (422, "empty_text", "text")


def test_many_texts_travel_in_batches_and_come_back_in_order(client: Client, service: Stack) -> None:
    texts = sample_texts(50)
    found = client.predict_many([*texts, "", *texts], batch_size=17)
    plain = [each["classification"] for each in plain_verdicts(service, texts)]

    assert [each.classification for each in found if isinstance(each, Prediction)] == plain * 2
    assert [each for each in found if isinstance(each, Failure)] == [found[50]]
    assert client.predict_many(["", " "], batch_size=2) == [
        Failure("", "empty_text", "texts[0] is empty or blank; there is nothing to classify"),
        Failure(" ", "empty_text", "texts[0] is empty or blank; there is nothing to classify"),
    ]
    with pytest.raises(ApiError, match="strictness"):
        client.predict_many(texts, strictness="harsh")


def test_a_file_is_followed_to_its_results(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "댓글.csv"
    table = "".join(f"{at},{text}\n" for at, text in enumerate([CLEAN, BAD] * 100))
    file.write_text("2024년 댓글 목록\n\nid,text\n" + table)
    seen: list[Job] = []
    job = client.submit_file(file, metadata={"board": "1"}, id_column="id", header_row=3)
    done = client.wait(job.id, on_progress=seen.append)
    rows = [row for after in range(0, 250, 50) for row in client.results(job.id, after=after, limit=50)]

    assert (done.status, done.total, done.done) == ("completed", 200, 200)
    assert seen[-1] == done
    assert done.raw["metadata"] == {"board": "1"}
    assert [(row["id"], row["classification"]) for row in rows] == [
        (str(at), ("clean", "curse")[at % 2]) for at in range(200)
    ]
    assert client.wait(job.id) == done == client.job(job.id)
    assert job.id in [each.id for each in client.jobs()]
    client.delete_job(job.id)
    with pytest.raises(ApiError) as caught:
        client.job(job.id)
    assert caught.value.code == "not_found"


def test_policies_and_corrections_are_set_and_taken_back(client: Client) -> None:
    text = "오늘 당근은 금칙어입니다"
    made = client.put_policy("client-board", {"deny": ["당근"]})
    assert made["name"] == "client-board"
    assert client.predict(text, policy="client-board").classification != "clean"
    assert "client-board" in [each["name"] for each in client.policies()]
    assert client.policy("client-board")["version"] == made["version"]
    client.delete_policy("client-board")
    correction = client.correct("아주 평범한 문장입니다", "insult", note="시험")
    assert correction["id"] in [each["id"] for each in client.corrections()]
    client.withdraw(correction["id"])
    assert client.info()["model"]["name"] == "kobert-default"


def test_the_awaited_client_does_the_same(service: Stack, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text(f"{BAD}\n{CLEAN}\n")

    async def work() -> list[str]:
        async with AsyncClient(service.url, api_key=KEY) as client:
            one, many = await asyncio.gather(client.predict(BAD), client.predict_many([CLEAN, BAD]))
            jobs = await asyncio.gather(client.submit_texts([BAD]), client.submit_file(file))
            done = await asyncio.gather(*(client.wait(job.id) for job in jobs))
            rows = [row for job in done for row in await client.results(job.id)]
        found = [one, *(each for each in many if isinstance(each, Prediction))]
        return [each.classification for each in found] + [row["classification"] for row in rows]

    assert asyncio.run(work()) == ["curse", "clean", "curse", "curse", "curse", "clean"]


def test_overload_is_waited_out(echo_bundle: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), echo_bundle, max_inflight_texts=1, echo_pass_s=0.3) as busy,
        Client(busy.url, max_retries=20) as client,
    ):
        threads = [threading.Thread(target=client.predict, args=(f"글 {at}",)) for at in range(3)]
        for thread in threads:
            thread.start()
        assert client.predict("또 글").text == "또 글"
        for thread in threads:
            thread.join()


def test_the_distribution_needs_httpx_alone_and_nothing_of_the_server() -> None:
    folder = ROOT / "clients" / "python"
    assert tomllib.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"] == ["httpx>=0.27"]
    script = (
        "import sys, kobert_client;"
        "print([name for name in sys.modules if name.split('.')[0] in {'api', 'shared', 'worker', 'celery', 'redis'}])"
    )
    found = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "[]"
