"""The faults: what each one does to a running service, and how the service is set up for it."""

import contextlib
import os
import resource
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import httpx

from bench.faults.service import Service
from tests.support.stack import Part, wait_until

FROZEN_S, HOUR_S = 6.0, 3600
REPLY_DELAY_S, CUT_REPLIES = 0.3, 30
STALL_TIMEOUT_S = 4
# Rows and texts that end a worker's process each time they are tried, so they must fail by name.
CRASHER = "this text crashes the process"


def _killed(service: Service, part: Part, number: signal.Signals) -> None:
    """Ended; the supervisor starts it again."""
    service.wait_restarted(part, part.pid, lambda: part.kill(number))


def _frozen(part: Part) -> None:
    """Stopped for longer than a lease, then let go on."""
    os.kill(part.pid, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    os.kill(part.pid, signal.SIGCONT)


def _store_full(service: Service) -> None:
    """No room for another byte, for some seconds."""
    with service.redis() as redis:
        redis.config_set("maxmemory", 1)
        time.sleep(FROZEN_S)
        redis.config_set("maxmemory", 0)


def _disk_full(service: Service) -> None:
    """No file of the store's grows any more, for some seconds."""
    files = (service.folder / "appendonlydir").glob("*.incr.aof")
    size = max(path.stat().st_size for path in files)
    resource.prlimit(service.store.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    time.sleep(FROZEN_S)
    resource.prlimit(service.store.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _store_silent(service: Service) -> None:
    """Connections stay, and nothing is answered for some seconds."""
    with service.redis() as redis:
        redis.client_pause(int(FROZEN_S * 1000))
        time.sleep(FROZEN_S)


def _store_slow(service: Service) -> None:
    """Each reply comes late, for some seconds."""
    service.proxy.delay_s = REPLY_DELAY_S
    time.sleep(FROZEN_S)
    service.proxy.delay_s = 0.0


def _store_cut(service: Service) -> None:
    """Every connection is closed from the other side, again and again."""
    for _ in range(10):
        with service.redis() as redis:
            redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        time.sleep(FROZEN_S / 20)


def _replies_cut(service: Service) -> None:
    """Connections end in the middle of a reply: whether a command was carried out, nobody was told."""
    service.proxy.cut_replies(CUT_REPLIES)
    wait_until(lambda: service.proxy.cuts_left == 0, "the last cut")


def _workers_rolled(service: Service) -> None:
    """Each worker is restarted in turn, as an upgrade does."""
    for worker in service.workers:
        _killed(service, worker, signal.SIGTERM)
        service.wait_ready(len(service.workers))


def _apis_rolled_on_one_socket(service: Service) -> None:
    """The APIs in turn; each has begun to serve before the next one ends, which no request to the socket would tell."""
    for api in (service.api, *service.more_apis):
        starts = _starts(api)
        _killed(service, api, signal.SIGTERM)
        wait_until(partial(_has_started_again, api, starts), "the API's return")


def _starts(api: Part) -> int:
    return api.log.read_text().count("api_ready")


def _has_started_again(api: Part, starts: int) -> bool:
    return _starts(api) > starts


def _all_rolled(service: Service) -> None:
    """An upgrade of everything but the store: the APIs in turn, then the workers."""
    for api, url in zip((service.api, *service.more_apis), service.urls, strict=True):
        _killed(service, api, signal.SIGTERM)
        wait_until(partial(_is_ready, url), "the API's return")
    _workers_rolled(service)


def _is_ready(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/ready").status_code == httpx.codes.OK
    return False


def _model_thread(service: Service, trigger: str) -> None:
    """The next pass of one worker's model does as the trigger says; the watchdog ends the process."""
    pids = {worker.pid for worker in service.workers}
    (service.folder / trigger).touch()
    wait_until(lambda: {worker.pid for worker in service.workers} != pids, "the worker's new start")


def _crashed(service: Service) -> None:
    """The same text also in a request: it must fail by name, whatever it does to the workers."""
    service.send_text(service.deadly_text)


@dataclass(frozen=True)
class Fault:
    """`what` it is in the table; `row`: how one more row of the job begins."""

    what: str
    inject: Callable[[Service], None]
    settings: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    workers: int = 2
    apis: int = 1
    row: str | None = None
    # Whether all APIs take their connections from one socket that the supervisor holds.
    has_one_socket: bool = False


FAULTS: dict[str, Fault] = {
    "worker_killed": Fault("one of two workers gets SIGKILL", lambda s: _killed(s, s.workers[0], signal.SIGKILL)),
    "worker_ended": Fault("one of two workers gets SIGTERM", lambda s: _killed(s, s.workers[0], signal.SIGTERM)),
    "worker_frozen": Fault(
        "one of two workers stands still past its lease, then goes on", lambda s: _frozen(s.workers[0])
    ),
    "workers_rolled": Fault("both workers are restarted in turn", _workers_rolled),
    "all_rolled": Fault("two APIs and three workers are restarted in turn", _all_rolled, workers=3, apis=2),
    "apis_rolled_on_one_socket": Fault(
        "two APIs on one held socket are restarted in turn", _apis_rolled_on_one_socket, apis=2, has_one_socket=True
    ),
    "model_stuck": Fault(
        f"a worker's model thread hangs (`STALL_TIMEOUT_S={STALL_TIMEOUT_S}`)",
        lambda s: _model_thread(s, "stuck"),
        {"stall_timeout_s": STALL_TIMEOUT_S},
    ),
    "model_dead": Fault("a worker's model thread dies", lambda s: _model_thread(s, "dead")),
    "text_crashes": Fault(
        "a row and a text end each process that reads them by a fault in native code (SIGSEGV)",
        _crashed,
        {"echo_crash": CRASHER},
        row=CRASHER,
    ),
    "api_killed": Fault("the API gets SIGKILL", lambda s: _killed(s, s.api, signal.SIGKILL)),
    "api_ended": Fault("the API gets SIGTERM", lambda s: _killed(s, s.api, signal.SIGTERM)),
    "api_frozen": Fault("the API stands still, then goes on", lambda s: _frozen(s.api)),
    "store_killed": Fault("the store gets SIGKILL", lambda s: _killed(s, s.store, signal.SIGKILL)),
    "store_ended": Fault("the store gets SIGTERM", lambda s: _killed(s, s.store, signal.SIGTERM)),
    "store_frozen": Fault("the store stands still, then goes on", lambda s: _frozen(s.store)),
    "store_silent": Fault("the store keeps its connections and answers nothing for a while", _store_silent),
    "store_slow": Fault(f"each of the store's replies comes {REPLY_DELAY_S} s late for a while", _store_slow),
    "store_cut": Fault("all connections to the store are cut, ten times in three seconds", _store_cut),
    "replies_cut": Fault(f"{CUT_REPLIES} of the store's replies break off in their middle", _replies_cut),
    "store_full": Fault("the store has no room for a while", _store_full),
    "disk_full": Fault("the store's disk is full for a while", _disk_full),
    "clock_forward": Fault("the clock of all processes is set forward by an hour", lambda s: s.clock.step(HOUR_S)),
    "clock_back": Fault("the clock of all processes is set back by an hour", lambda s: s.clock.step(-HOUR_S)),
}
