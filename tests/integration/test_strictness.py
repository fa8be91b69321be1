"""How strict a verdict is: set by a request, by a job and by the worker's settings, through real processes."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.echo import write_echo_bundle
from tests.support.jobs import finish, result_lines
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.integration

LABELS = ["curse", "insult", "hate"]
# The echo engine's logits are from 0 to 4, so its scores are from 0.5 to 0.98.
TURNS = {"lenient": 0.95, "standard": 0.85, "strict": 0.6}
LEVELS = {level: dict.fromkeys(LABELS, turn) for level, turn in TURNS.items()}
TEXTS = [f"{number}번째 댓글" for number in range(60)]


@pytest.fixture(scope="module")
def levelled_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_echo_bundle(
        tmp_path_factory.mktemp("bundles") / "levelled",
        name="levelled",
        problem_type="multi_label_classification",
        labels=LABELS,
        strictness=LEVELS,
    )


@pytest.fixture(scope="module")
def stack(levelled_bundle: Path) -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="kt-") as folder,
        running_stack(Path(folder), levelled_bundle, job_chunk_rows=20, job_poll_s=0.5) as running,
    ):
        yield running


def predict(stack: Stack, **body: Any) -> httpx.Response:
    return httpx.post(f"{stack.url}/predict", json=body, timeout=60)


def labels_at(scores: dict[str, float], turns: dict[str, float]) -> list[str]:
    """What must count: the labels at or above their thresholds, highest score first."""
    passing = [label for label in scores if label != "clean" and scores[label] >= turns[label]]
    return sorted(passing, key=scores.__getitem__, reverse=True) or ["clean"]


def assert_decided_by(verdict: dict[str, Any], turns: dict[str, float]) -> None:
    assert verdict["labels"] == labels_at(verdict["scores"], turns), (verdict, turns)
    assert verdict["classification"] == verdict["labels"][0]


def test_each_level_decides_by_its_own_thresholds(stack: Stack) -> None:
    flagged = {}
    for level in TURNS:
        results = predict(stack, texts=TEXTS, strictness=level).json()["results"]
        for verdict in results:
            assert_decided_by(verdict, LEVELS[level])
        flagged[level] = sum(verdict["classification"] != "clean" for verdict in results)

    assert flagged["lenient"] < flagged["standard"] < flagged["strict"]
    assert predict(stack, texts=TEXTS).json() == predict(stack, texts=TEXTS, strictness="standard").json()


def test_thresholds_of_a_request_go_over_those_of_its_level(stack: Stack) -> None:
    results = predict(stack, texts=TEXTS, strictness="lenient", thresholds={"curse": 0.55, "hate": 1}).json()["results"]

    for verdict in results:
        assert_decided_by(verdict, {"curse": 0.55, "insult": TURNS["lenient"], "hate": 1.0})


def test_texts_that_share_a_message_keep_their_own_options(stack: Stack) -> None:
    choices: list[dict[str, Any]] = [
        {},
        {"strictness": "strict"},
        {"strictness": "lenient"},
        {"thresholds": {"insult": 0.5}},
        {"strictness": "strict", "thresholds": {"curse": 1}},
    ]

    async def scenario() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=stack.url, timeout=60) as client:
            bodies = [{"text": text, **choices[at % len(choices)]} for at, text in enumerate(TEXTS * 4)]
            return await asyncio.gather(*(client.post("/predict", json=body) for body in bodies))

    for at, answer in enumerate(asyncio.run(scenario())):
        choice = choices[at % len(choices)]
        turns = {**LEVELS[choice.get("strictness", "standard")], **choice.get("thresholds", {})}
        assert_decided_by(answer.json(), turns)
    messages = [event for event in stack.events() if event["event"] == "texts_classified"]
    assert max(event["texts"] for event in messages) > 1


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"strictness": "harsh"}, "lenient, standard, strict"),
        ({"thresholds": {"curze": 0.5}}, "it has them for curse, insult, hate"),
        ({"thresholds": {"clean": 0.5}}, "it has them for curse, insult, hate"),
        ({"thresholds": {"curse": 1.1}}, "a number from 0 to 1"),
    ],
)
def test_options_that_cannot_be_followed_are_422_in_predict_and_jobs_alike(
    stack: Stack, options: dict[str, Any], complaint: str
) -> None:
    (field,) = options
    form = {name: value if isinstance(value, str) else json.dumps(value) for name, value in options.items()}
    answers = [
        predict(stack, text="글", **options),
        httpx.post(f"{stack.url}/jobs", json={"texts": ["글"], **options}),
        httpx.post(f"{stack.url}/jobs", params={"format": "txt", **form}, content=b"x\n"),
        httpx.post(f"{stack.url}/jobs", data=form, files={"file": ("a.txt", b"x\n")}),
    ]

    for answer in answers:
        assert answer.status_code == 422
        assert answer.json()["error"]["param"] == field
        assert complaint in answer.json()["error"]["message"]


def test_a_job_is_judged_as_its_options_say_and_shows_them(stack: Stack) -> None:
    options = {"strictness": "strict", "thresholds": {"curse": 0.7}}
    body = {"texts": TEXTS, **options}
    job = finish(stack, httpx.post(f"{stack.url}/jobs", json=body).json())

    lines = result_lines(stack, job)

    assert (job["strictness"], job["thresholds"]) == ("strict", {"curse": 0.7})
    expected = predict(stack, **body).json()["results"]
    assert [(line["classification"], line["labels"]) for line in lines] == [
        (verdict["classification"], verdict["labels"]) for verdict in expected
    ]
    assert len({tuple(line["labels"]) for line in lines}) > 2


@pytest.mark.parametrize("thresholds", ["curse=0.7, hate = 0.5", '{"curse": 0.7, "hate": 0.5}'])
def test_a_form_may_write_thresholds_as_the_setting_does_also_after_the_file(stack: Stack, thresholds: str) -> None:
    boundary = "b"
    parts = [
        ('name="file"; filename="a.txt"', "\n".join(TEXTS)),
        ('name="thresholds"', thresholds),
        ('name="strictness"', "lenient"),
    ]
    form = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n" for head, body in parts)
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    answer = httpx.post(f"{stack.url}/jobs", content=f"{form}--{boundary}--\r\n".encode(), headers=headers)
    job = finish(stack, answer.json())

    assert (job["strictness"], job["thresholds"]) == ("lenient", {"curse": 0.7, "hate": 0.5})
    for line in result_lines(stack, job):
        assert_decided_by(line, {"curse": 0.7, "insult": TURNS["lenient"], "hate": 0.5})


def test_a_job_without_options_is_judged_by_the_settings_and_shows_none(stack: Stack) -> None:
    job = finish(stack, httpx.post(f"{stack.url}/jobs", json={"texts": TEXTS}).json())

    assert not {"strictness", "thresholds"} & set(job)
    for line in result_lines(stack, job):
        assert_decided_by(line, LEVELS["standard"])


def test_info_lists_the_levels_with_their_thresholds(stack: Stack) -> None:
    model = stack.info()["model"]

    assert (model["strictness"], model["thresholds"]) == ("standard", LEVELS["standard"])
    assert model["levels"] == LEVELS


def test_the_settings_of_a_worker_decide_where_nobody_says_anything(short_tmp: Path, levelled_bundle: Path) -> None:
    with running_stack(short_tmp, levelled_bundle, strictness="strict", thresholds="curse=0.97") as running:
        turns = {**LEVELS["strict"], "curse": 0.97}
        for verdict in predict(running, texts=TEXTS).json()["results"]:
            assert_decided_by(verdict, turns)
        for verdict in predict(running, texts=TEXTS, thresholds={"curse": 0.5}).json()["results"]:
            assert_decided_by(verdict, {**LEVELS["strict"], "curse": 0.5})
        model = running.info()["model"]
        assert (model["strictness"], model["thresholds"]) == ("strict", turns)
        assert model["levels"]["lenient"] == {**LEVELS["lenient"], "curse": 0.97}


def test_a_row_whose_options_no_model_follows_ends_as_an_error_by_name(short_tmp: Path, levelled_bundle: Path) -> None:
    """Without a worker nobody knows the labels yet, so the job is taken."""
    with running_stack(short_tmp, levelled_bundle, workers=0, job_poll_s=0.5) as running:
        body = {"texts": ["글"], "thresholds": {"curze": 0.5}}
        job = httpx.post(f"{running.url}/jobs", json=body).json()
        running.add_worker()
        (line,) = result_lines(running, finish(running, job))

    assert line["error"]["code"] == "unsupported_option"
    assert "curze" in line["error"]["message"]


def test_while_two_models_are_served_only_what_both_follow_is_taken(
    short_tmp: Path, levelled_bundle: Path, echo_bundle: Path
) -> None:
    with running_stack(short_tmp, levelled_bundle) as running:
        running.add_worker(model=echo_bundle)
        wait_until(lambda: len(running.info()["workers"]) == 2, "two workers")
        answer = predict(running, text="글", strictness="strict")

        assert answer.status_code == 422
        assert "the model echo has only the strictness standard" in answer.json()["error"]["message"]
        assert predict(running, text="글", strictness="standard").status_code == 200
