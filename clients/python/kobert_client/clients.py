"""The two clients: each performs the steps of an operation in its own way, and binds every operation to that."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from kobert_client.operations import Operations
from kobert_client.steps import Answer, Send, Step, Steps

P = ParamSpec("P")
T = TypeVar("T")
PIECE_BYTES = 1 << 20


def _blocking(operation: Callable[Concatenate[Any, P], Steps[T]]) -> Callable[Concatenate["Client", P], T]:
    @wraps(operation)
    def call(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.perform(operation(self.operations, *args, **kwargs))

    return call


def _awaited(
    operation: Callable[Concatenate[Any, P], Steps[T]],
) -> Callable[Concatenate["AsyncClient", P], Awaitable[T]]:
    @wraps(operation)
    async def call(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.perform(operation(self.operations, *args, **kwargs))

    return call


class Client:
    """Blocks. Close it, or use it in a `with` statement; threads may share one."""

    def __init__(self, url: str, *, api_key: str | None = None, max_retries: int = 4, timeout_s: float = 60.0) -> None:
        self.operations = Operations()
        self.operations.max_retries = max_retries
        self._http = httpx.Client(base_url=url, headers=_headers(api_key), timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def perform(self, steps: Steps[T]) -> T:
        """Do each step until the operation returns."""
        answer: Answer = None
        while True:
            try:
                step: Step = steps.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            answer = None
            if isinstance(step, Send):
                answer = self._send(step)
            else:
                time.sleep(step.seconds)

    def _send(self, step: Send) -> Answer:
        try:
            if step.file is None:
                return self._http.request(**_request(step))
            with step.file.open("rb") as file:
                return self._http.request(**_request(step), content=file)
        except httpx.TransportError as error:
            return error

    predict = _blocking(Operations.predict)
    predict_many = _blocking(Operations.predict_many)
    submit_texts = _blocking(Operations.submit_texts)
    submit_file = _blocking(Operations.submit_file)
    job = _blocking(Operations.job)
    jobs = _blocking(Operations.jobs)
    wait = _blocking(Operations.wait)
    results = _blocking(Operations.results)
    cancel = _blocking(Operations.cancel)
    delete_job = _blocking(Operations.delete_job)
    put_policy = _blocking(Operations.put_policy)
    policy = _blocking(Operations.policy)
    policies = _blocking(Operations.policies)
    delete_policy = _blocking(Operations.delete_policy)
    correct = _blocking(Operations.correct)
    corrections = _blocking(Operations.corrections)
    withdraw = _blocking(Operations.withdraw)
    info = _blocking(Operations.info)


class AsyncClient:
    """Is awaited. Close it, or use it in an `async with` statement."""

    def __init__(self, url: str, *, api_key: str | None = None, max_retries: int = 4, timeout_s: float = 60.0) -> None:
        self.operations = Operations()
        self.operations.max_retries = max_retries
        self._http = httpx.AsyncClient(base_url=url, headers=_headers(api_key), timeout=timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def perform(self, steps: Steps[T]) -> T:
        """Do each step until the operation returns."""
        answer: Answer = None
        while True:
            try:
                step: Step = steps.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            answer = None
            if isinstance(step, Send):
                answer = await self._send(step)
            else:
                await asyncio.sleep(step.seconds)

    async def _send(self, step: Send) -> Answer:
        content = None if step.file is None else _pieces(step.file)
        try:
            return await self._http.request(**_request(step), content=content)
        except httpx.TransportError as error:
            return error

    predict = _awaited(Operations.predict)
    predict_many = _awaited(Operations.predict_many)
    submit_texts = _awaited(Operations.submit_texts)
    submit_file = _awaited(Operations.submit_file)
    job = _awaited(Operations.job)
    jobs = _awaited(Operations.jobs)
    wait = _awaited(Operations.wait)
    results = _awaited(Operations.results)
    cancel = _awaited(Operations.cancel)
    delete_job = _awaited(Operations.delete_job)
    put_policy = _awaited(Operations.put_policy)
    policy = _awaited(Operations.policy)
    policies = _awaited(Operations.policies)
    delete_policy = _awaited(Operations.delete_policy)
    correct = _awaited(Operations.correct)
    corrections = _awaited(Operations.corrections)
    withdraw = _awaited(Operations.withdraw)
    info = _awaited(Operations.info)


def _headers(api_key: str | None) -> dict[str, str]:
    return {} if api_key is None else {"Authorization": f"Bearer {api_key}"}


def _request(step: Send) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "method": step.method,
        # Behind a prefix, a path that begins with a slash would be that of the host.
        "url": step.path.removeprefix("/"),
        "params": step.params,
        "headers": step.headers,
    }
    return fields if step.json is None else {**fields, "json": step.json}


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as opened:
        while piece := await asyncio.to_thread(opened.read, PIECE_BYTES):
            yield piece
