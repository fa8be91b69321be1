"""Many clients at once, each with a text of its own, and the answer that each must get."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tests.support.echo import echo_scores
from tests.support.stack import Stack


@asynccontextmanager
async def client_of(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    async with httpx.AsyncClient(base_url=stack.url, timeout=60, limits=limits) as client:
        yield client


def predict_all(stack: Stack, texts: list[str], clients: int) -> dict[str, httpx.Response]:
    """Send each text in a request of its own, from `clients` at once."""
    return asyncio.run(send_all(stack, texts, clients))


async def send_all(stack: Stack, texts: list[str], clients: int) -> dict[str, httpx.Response]:
    answers: dict[str, httpx.Response] = {}
    waiting = iter(texts)

    async def work(client: httpx.AsyncClient) -> None:
        for text in waiting:
            answers[text] = await client.post("/predict", json={"text": text})

    async with client_of(stack) as client:
        await asyncio.gather(*(work(client) for _ in range(clients)))
    return answers


def assert_own_answer(text: str, answer: httpx.Response) -> None:
    body = answer.json()
    assert answer.status_code == 200, body
    assert body["text"] == text
    assert body["scores"] == echo_scores(text), f"{text!r} got another text's answer"
