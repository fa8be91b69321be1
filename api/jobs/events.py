"""Follows a job: server-sent events until its end, and the wait of a long poll."""

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec

from api.http.caller import current_caller
from api.jobs.service import JobService
from api.jobs.view import show_job
from api.queue.fleet import Fleet
from shared.errors import KobertError, NotFoundError, UnauthorisedError
from shared.jobs.records import Job

# Proxies close a connection that is silent for long.
KEEP_ALIVE_S = 15.0
# A client reconnects this many milliseconds after the stream broke.
RETRY_MS = 2_000
# A stream ends so soon after its key, or when its server is told to end.
KEY_LOOK_S = 0.5


async def wait_for_end(jobs: JobService, job: Job, wait_s: float) -> Job:
    """Wait up to `wait_s` for the job to end, or this server; returns the job's latest state.

    Raises:
        OverloadedError: too many clients follow jobs.
        UnauthorisedError: the key was revoked meanwhile, or its secret has ended.
    """
    if job.has_ended or not wait_s:
        return job
    deadline = time.monotonic() + wait_s
    with jobs.followers.held(job.owner):
        while not (job.has_ended or _server_ends()) and time.monotonic() < deadline:
            await _pause(jobs, min(jobs.follow_pause_s(), max(0.0, deadline - time.monotonic())))
            job = await jobs.glance(job.id, job.owner)
    return job


async def progress_events(jobs: JobService, fleet: Fleet, job: Job, root_path: str = "") -> AsyncIterator[bytes]:
    """The job object each time it has changed, as `progress`, and at its end under the name of its state.

    A server that ends does not wait for the job: the client comes again, as after any lost connection.
    """
    yield f"retry: {RETRY_MS}\n\n".encode()
    shown = b""
    sent_at = time.monotonic()
    while True:
        body = msgspec.json.encode(show_job(job, fleet.texts_per_s, root_path))
        if body != shown:
            name = job.status if job.has_ended else "progress"
            yield b"event: " + name.encode() + b"\ndata: " + body + b"\n\n"
            shown, sent_at = body, time.monotonic()
        elif time.monotonic() - sent_at >= KEEP_ALIVE_S:
            yield b": still here\n\n"
            sent_at = time.monotonic()
        if job.has_ended or _server_ends():
            return
        try:
            await _pause(jobs, jobs.follow_pause_s())
            job = await jobs.glance(job.id, job.owner)
        except NotFoundError:
            yield b"event: deleted\ndata: {}\n\n"
            return
        except UnauthorisedError:
            # The key was revoked meanwhile, or its secret has ended.
            return
        except KobertError:
            # The store is unreachable for a moment; the job still exists.
            continue


async def _pause(jobs: JobService, pause_s: float) -> None:
    """Wait before the next look, which may be rare; but notice soon that the key, or this server, has ended."""
    until = time.monotonic() + pause_s
    while (left_s := until - time.monotonic()) > 0 and not _server_ends():
        await asyncio.sleep(min(left_s, KEY_LOOK_S))
        jobs.followers.require_key()


def _server_ends() -> bool:
    """Whether the server of the current request has been told to end."""
    return current_caller().presence.is_last
