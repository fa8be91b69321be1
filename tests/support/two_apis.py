"""Two API processes over one store, and the command that manages their keys."""

import contextlib
import json
from typing import Any

import httpx
from click.testing import CliRunner

from api.keys import keys
from tests.support.stack import Part, Stack, free_port, wait_until

PLAIN = "plain-key"


# What the issue promises is a second; a busy machine gets some more.
SOON_S = 30  # each API process looks more than once a second


class TwoApis:
    """A stack with a second API process, and the command that manages its keys."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        port = free_port()
        self.urls = [stack.url, f"http://127.0.0.1:{port}"]
        self.admin_url = f"http://127.0.0.1:{free_port()}"
        # The first API closes what is for operators, the second moves it to a port of its own.
        other = {"PORT": str(port), "ADMIN_PORT": self.admin_url.rpartition(":")[2], "CLOSED_ROUTES": ""}
        self.second = Part(stack.api.command, {**stack.environment, **other}, stack.folder / "api-2.log")

    def manage(self, *words: str) -> str:
        """The standard output of `kobert keys`."""
        environment = {"REDIS_URL": self.stack.redis_url, "API_KEYS": PLAIN}
        done = CliRunner().invoke(keys, words, env=environment, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout.strip()

    def add(self, name: str, *options: str) -> str:
        secret = self.manage("add", name, *options)
        self.wait_for(secret, known=True)
        return secret

    def id_of(self, name: str) -> str:
        listed = map(json.loads, self.manage("list", "--json").splitlines())
        return str(next(shown["id"] for shown in listed if shown["name"] == name))

    def both_answer(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self.statuses(PLAIN) == {200}
        return False

    def statuses(self, secret: str) -> set[int]:
        return {self.ask("GET", "/jobs", secret, api=api).status_code for api in range(2)}

    def wait_for(self, secret: str, *, known: bool) -> None:
        wanted = {200, 403} if known else {401}
        wait_until(lambda: self.statuses(secret) <= wanted, f"every API process knows {known=}", SOON_S)

    def ask(self, method: str, path: str, secret: str, *, api: int = 0, **rest: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {secret}", **rest.pop("headers", {})}
        return httpx.request(method, self.urls[api] + path, headers=headers, timeout=30, **rest)
