"""Those who send texts to /predict all the time, and what each got."""

import itertools
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

import httpx

from tests.support.echo import echo_scores

EVERY_S, PROMPT_S, CALM_S = 0.1, 1.0, 2.0
# Calm enough for a smoke run: no machine is too busy for it.
SMOKE_PROMPT_S = 30.0
CUT, WRONG = 0, -1


class Call(NamedTuple):
    """`status` CUT: the connection ended with the API; WRONG: another text's scores, or an error without a name."""

    sent_at: float
    ended_at: float
    status: int
    # The error's code, where there is one.
    name: str = ""

    def is_good(self, prompt_s: float = PROMPT_S) -> bool:
        """Whether it was answered within `prompt_s`."""
        return self.status == httpx.codes.OK and self.ended_at - self.sent_at < prompt_s


class Callers:
    """Sends a text every tenth of a second until it is stopped, to the APIs in turn; each call is a thread of its own.

    As a load balancer does, a call goes to the next API where one takes no connection. An answer is prompt within
    `prompt_s`.
    """

    def __init__(self, urls: Sequence[str], prompt_s: float = PROMPT_S) -> None:
        self._prompt_s = prompt_s
        self._turn = itertools.count()
        self._goes_on = True
        # As many connections as texts that wait, each for one text: what is measured is the service, not a pool.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._clients = [httpx.Client(base_url=url, timeout=60, limits=limits) for url in urls]
        self.calls: list[Call] = []
        self.waiting: dict[str, float] = {}  # texts without an answer, and when they were sent
        self._extra: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._send_all)
        self._thread.start()

    def stop(self) -> None:
        self._goes_on = False
        for thread in (self._thread, *self._extra):
            thread.join()
        for client in self._clients:
            client.close()

    def send_now(self, text: str) -> None:
        """One more text, besides."""
        self._extra.append(threading.Thread(target=self._send, args=(text,)))
        self._extra[-1].start()

    def is_calm(self) -> bool:
        """Whether every text of the last two seconds was answered promptly."""
        now = time.monotonic()
        is_late = any(now - sent_at > self._prompt_s for sent_at in list(self.waiting.values()))
        recent = [call for call in list(self.calls) if call.ended_at > now - CALM_S]
        # Half of those that are sent in this time, if each is answered at once.
        has_enough = len(recent) > min(1.0, PROMPT_S / self._prompt_s) * CALM_S / EVERY_S / 2
        return has_enough and not is_late and all(call.is_good(self._prompt_s) for call in recent)

    def _send_all(self) -> None:
        calls: list[threading.Thread] = []
        while self._goes_on:
            calls.append(threading.Thread(target=self._send, args=(f"text {time.monotonic_ns()}",)))
            calls[-1].start()
            time.sleep(EVERY_S)
        for call in calls:
            call.join()

    def _send(self, text: str) -> None:
        sent_at = self.waiting[text] = time.monotonic()
        status, name = self._ask(text)
        self.calls.append(Call(sent_at, time.monotonic(), status, name))
        del self.waiting[text]

    def _ask(self, text: str) -> tuple[int, str]:
        first = next(self._turn)
        for number in range(len(self._clients)):
            try:
                answer = self._clients[(first + number) % len(self._clients)].post("/predict", json={"text": text})
                return _judge(answer, text)
            except httpx.ConnectError:
                continue
            except (httpx.HTTPError, KeyError, ValueError):
                break
        return CUT, ""


def _judge(answer: httpx.Response, text: str) -> tuple[int, str]:
    """The status of an answer, and the name of its error."""
    if answer.status_code == httpx.codes.OK:
        return (answer.status_code if answer.json()["scores"] == echo_scores(text) else WRONG), ""
    name = answer.json()["error"]["code"]
    return (answer.status_code if name else WRONG), name
