"""The service as a set of child processes: started in order, watched, and stopped in the reverse order."""

import asyncio
import shlex
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from cli.child import Child, python_module
from cli.early import EarlyProcess
from cli.store import EmbeddedStore
from cli.store_start import wait_for_store
from shared.listening import BACKLOG
from shared.settings import Settings

# Nobody but the user who runs the service reads what the store writes.
PRIVATE_UMASK = 0o077
POLL_S = 0.1
PROBE_S = 2
# When the store is looked at first: about as long as a start takes, which the Redis client would make longer.
FIRST_LOOK_S = 1.5
# Shares of SHUTDOWN_TIMEOUT_S: first the API answers what it has, then the workers finish, then the store writes. Each
# API and worker is told its own, so that it ends by itself before it would be killed.
API_SHARE, WORKER_SHARE, STORE_SHARE = 0.4, 0.4, 0.2
SAMPLE = "이 영화 정말 재미있었어요!"


class Service:
    """Store, workers and API of one machine."""

    def __init__(
        self,
        settings: Settings,
        store: EmbeddedStore | None,
        environment: Mapping[str, str],
        early: Mapping[str, EarlyProcess],
        listeners: Sequence[socket.socket] = (),
    ) -> None:
        """`early` are first processes, by module; those that are not needed are for the caller to end.

        `listeners` are the API's, from which connections are not refused while it is started again.
        """
        self._settings = settings
        self._embedded = store
        self._store = [] if store is None else [_store_child(store, environment)]
        self._workers = [
            Child(
                f"worker {number}",
                lambda: python_module("worker.main"),
                _worker_environment(settings, environment, number),
            )
            for number in range(1, settings.workers + 1)
        ]
        self._api = [
            Child("api", lambda: python_module("api.main"), _told_to_stop_in(API_SHARE, settings, environment))
        ]
        self._api[0].listeners = self._listeners = listeners
        for child, module in ((self._api[0], "api.main"), *((worker, "worker.main") for worker in self._workers[:1])):
            child.early = early.get(module)
        if len(self._workers) > 1:  # texts for an only one wait until it is back; without a heartbeat they were refused
            for worker in self._workers:
                worker.on_death = self._tell_of_death
        self._tasks: list[asyncio.Task[None]] = []
        self._gave_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run_until_stopped(self) -> None:
        """Start everything, say when it answers, and return after SIGINT or SIGTERM.

        Raises:
            StartupError: a part cannot run. Everything started has ended by then.
        """
        loop = asyncio.get_running_loop()
        told_to_stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, told_to_stop.set)
        stop = asyncio.create_task(told_to_stop.wait())
        start = asyncio.create_task(self._start())
        try:
            await self._first_of(start, stop)
            await self._first_of(stop)
        finally:
            start.cancel()
            stop.cancel()
            await self._stop()

    async def _first_of(self, *tasks: "asyncio.Task[Any]") -> None:
        """Wait until one of `tasks` ends, or a child gives up, which raises."""
        watched = {*tasks, self._gave_up}
        done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _start(self) -> None:
        self._keep(self._store)
        if self._embedded is not None:
            await wait_for_store(self._embedded.socket, self._settings.data_dir)
        click.echo(f"  worker   loading the model in {_count(self._settings.workers, 'process', 'processes')}")
        # The API first, which takes longer until it listens than a worker until it is ready.
        for listener in self._listeners:
            listener.listen(BACKLOG)
        self._keep(self._api)
        self._keep(self._workers)
        # A turn of the loop, in which they are started.
        await asyncio.sleep(0)
        if self._embedded is not None:
            self._tasks.append(asyncio.create_task(_keep_writable(self._embedded), name="store-keeper"))
        await self._wait_until_ready()
        click.echo(self._ready_message())

    def _keep(self, children: Iterable[Child]) -> None:
        for child in children:
            task = asyncio.create_task(child.keep_running(), name=child.name)
            task.add_done_callback(self._note_end)
            self._tasks.append(task)

    async def _tell_of_death(self, pid: int) -> None:
        """A worker died; the Redis client that this takes is loaded when it is needed first."""
        from cli.dead_worker import end_heartbeat  # noqa: PLC0415

        url = self._settings.redis_url if self._embedded is None else self._embedded.url
        if url is not None:
            await end_heartbeat(url, pid)

    def _note_end(self, task: "asyncio.Task[None]") -> None:
        """A child's task ends only when it is stopped, or when it gives up with an error."""
        if task.cancelled() or self._gave_up.done():
            return
        error = task.exception()
        if error is not None:
            self._gave_up.set_exception(error)

    async def _wait_until_ready(self) -> None:
        # With WORKERS=0 the workers are somebody else's, and may come later.
        path = "/ready" if self._workers else "/health"
        while not await asyncio.to_thread(_is_ok, self._local_url() + path):  # noqa: ASYNC110  another process
            await asyncio.sleep(POLL_S)

    async def _stop(self) -> None:
        click.echo("stopping")
        # So that nobody waits for an API that will not be started again.
        for listener in self._listeners:
            listener.close()
        budget_s = self._settings.shutdown_timeout_s
        for children, share in ((self._api, API_SHARE), (self._workers, WORKER_SHARE), (self._store, STORE_SHARE)):
            await _stop_together(children, budget_s * share)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        click.echo("stopped")

    def _local_url(self) -> str:
        return f"http://{reachable_host(self._settings.host)}:{self._settings.port}"

    def _ready_message(self) -> str:
        url = self._local_url()
        body = f'{{"text": "{SAMPLE}"}}'
        return (
            f"Ready: {url} (docs: {url}/docs). Ctrl-C stops it. Try:\n"
            f"  curl -X POST {url}/predict -H 'Content-Type: application/json'{self._key_header()} -d '{body}'"
        )

    def _key_header(self) -> str:
        """One of the keys, for whoever sits at this terminal; a log gets a variable in its place."""
        if not self._settings.api_keys:
            is_needed = self._settings.require_keys or self._settings.keys_file is not None
            return ' -H "Authorization: Bearer ${KOBERT_API_KEY:?set it to one of your keys}"' if is_needed else ""
        if sys.stdout.isatty():
            return " -H " + shlex.quote(f"Authorization: Bearer {self._settings.api_keys[0]}")
        return ' -H "Authorization: Bearer ${KOBERT_API_KEY:?set it to one of API_KEYS}"'


def reachable_host(host: str) -> str:
    """A host for the URL of a service on this machine that listens on `host`."""
    # Every network, of IPv4 or of both families, is reached by IPv4's loopback address.
    if host in {"0.0.0.0", "::"}:  # noqa: S104  compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _store_child(store: EmbeddedStore, environment: Mapping[str, str]) -> Child:
    return Child("store", store.command, environment, store.explain_exit, umask=PRIVATE_UMASK)


def _worker_environment(settings: Settings, environment: Mapping[str, str], number: int) -> dict[str, str]:
    """Workers of one machine cannot share a port for their metrics: each has the next one."""
    first = settings.worker_metrics_port
    told = _told_to_stop_in(WORKER_SHARE, settings, environment)
    return {**told, "WORKER_METRICS_PORT": str(first + number - 1 if first else 0)}


def _told_to_stop_in(share: float, settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child that is killed after this share of SHUTDOWN_TIMEOUT_S."""
    return {**environment, "SHUTDOWN_TIMEOUT_S": str(settings.shutdown_timeout_s * share)}


async def _keep_writable(store: EmbeddedStore) -> None:
    """Watch the store's disk, once the service's processes have loaded their programs."""
    await asyncio.sleep(FIRST_LOOK_S)
    from cli.store_keeper import StoreKeeper  # noqa: PLC0415

    await StoreKeeper(store.url, store.data_dir).keep()


async def _stop_together(children: Sequence[Child], timeout_s: float) -> None:
    await asyncio.gather(*(child.stop(timeout_s) for child in children))


def _is_ok(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=PROBE_S) as response:  # noqa: S310  our own address
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
