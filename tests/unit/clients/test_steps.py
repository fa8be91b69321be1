"""The client's logic, step by step, without a service."""

import httpx
import pytest

from kobert_client import ApiError, UnreachableError
from kobert_client.clients import AsyncClient, Client
from kobert_client.operations import Operations
from kobert_client.steps import Answer, Send, Wait, ask

REQUEST = Send("GET", "/info")


def reply(status: int, body: object = None, **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers=names)


def run(answers: list[Answer], max_retries: int = 3) -> tuple[object, list[float]]:
    """The result of one request that gets `answers` in turn, and how long it waited between them."""
    steps, waiting = ask(REQUEST, max_retries), list(answers)
    waits: list[float] = []
    answer: Answer = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            assert not waiting
            return end.value, waits
        answer = None
        if isinstance(step, Wait):
            waits.append(step.seconds)
        else:
            answer = waiting.pop(0)


def test_a_refusal_for_now_is_waited_out_as_long_as_the_service_says() -> None:
    answers: list[Answer] = [reply(429, retry_after="7"), reply(503, retry_after="2"), reply(200, {"a": 1})]
    assert run(answers) == ({"a": 1}, [7.0, 2.0])


def test_a_broken_connection_is_tried_again_after_ever_longer_waits() -> None:
    broken = httpx.ConnectError("refused")
    assert run([broken, broken, broken, reply(200, [])]) == ([], [0.5, 1.0, 2.0])
    with pytest.raises(UnreachableError, match="no answer after 2 attempts: refused"):
        run([broken, broken], max_retries=1)


def test_no_wait_is_longer_than_half_a_minute() -> None:
    assert run([reply(503, retry_after="86400"), reply(200, {})])[1] == [30.0]
    assert run([reply(503, retry_after="soon"), reply(200, {})])[1] == [0.5]


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 422, 500])
def test_what_will_not_change_is_not_tried_again(status: int) -> None:
    error = {"code": "c", "message": "m", "param": "p", "request_id": "r"}
    with pytest.raises(ApiError) as caught:
        run([reply(status, {"error": error})])

    assert (caught.value.status, caught.value.code, caught.value.param) == (status, "c", "p")
    assert str(caught.value) == f"m ({status}, c, request r)"


def test_the_last_refusal_is_raised_as_it_is() -> None:
    with pytest.raises(ApiError) as caught:
        run([httpx.Response(502, text="Bad Gateway of a proxy")], max_retries=0)
    assert (caught.value.status, caught.value.message) == (502, "Bad Gateway of a proxy")


def test_both_clients_have_every_operation() -> None:
    operations = {name for name in vars(Operations) if not name.startswith("_")}

    for client in (Client, AsyncClient):
        assert operations <= set(vars(client))
        assert all(getattr(client, name).__doc__ == getattr(Operations, name).__doc__ for name in operations)
