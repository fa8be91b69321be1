"""Leases of a job's chunks: who may hand in what, and what becomes of those that nobody holds any more."""

import time

import pytest
from redis import Redis

from shared import keys
from shared.errors import UnavailableError
from shared.jobs.ledger import Ledger
from shared.jobs.packing import unpack_rows
from shared.options import VerdictOptions
from tests.support.job_parts import JobParts
from tests.support.ledger_jobs import OWNER, SETTINGS, add_job, hand_in, take

pytestmark = pytest.mark.integration


def test_handing_in_twice_changes_nothing(parts: JobParts, ledger: Ledger) -> None:
    job_id = add_job(parts)
    lease = take(ledger)
    assert hand_in(ledger, lease)
    assert not hand_in(ledger, lease)
    assert parts.store.get(job_id, OWNER).completed == 4


def test_a_lost_lease_can_neither_hand_in_nor_renew_nor_release_nor_split(
    parts: JobParts, ledger: Ledger, redis: Redis
) -> None:
    job_id = add_job(parts, chunks=1)
    lost = take(ledger, "dead")
    time.sleep(0.15)
    assert ledger.sweep() == (1, 1)
    held = take(ledger)
    assert (held.first_row, held.attempt) == (lost.first_row, 2)

    assert not hand_in(ledger, lost)
    assert not ledger.renew(lost)
    assert not ledger.release(lost)
    assert not ledger.split(lost, unpack_rows(lost.packed_rows), 0)
    assert hand_in(ledger, held)
    assert parts.store.get(job_id, OWNER).completed == 4


def test_a_living_worker_keeps_its_lease_through_sweeps(parts: JobParts, ledger: Ledger) -> None:
    add_job(parts, chunks=1)
    lease = take(ledger)
    time.sleep(0.15)
    assert ledger.sweep() == (0, 1)
    assert ledger.renew(lease)
    assert hand_in(ledger, lease)


def test_a_lease_that_ran_out_is_opened_again_although_its_worker_lives(redis: Redis) -> None:
    impatient = Ledger(redis, SETTINGS.model_copy(update={"job_lease_s": 0.01}))
    redis.set(keys.worker("w"), "alive")
    add_job(JobParts(redis, SETTINGS), chunks=1)
    take(impatient)
    time.sleep(0.05)
    assert impatient.sweep()[0] == 1


def test_a_released_chunk_comes_next_and_its_attempt_does_not_count(parts: JobParts, ledger: Ledger) -> None:
    add_job(parts)
    first = take(ledger)
    assert ledger.release(first)
    again = take(ledger)
    assert (again.first_row, again.attempt) == (first.first_row, 1)


def test_halves_take_the_place_of_their_chunk(parts: JobParts, ledger: Ledger) -> None:
    job_id = add_job(parts, chunks=1, chunk_rows=5)
    lease = take(ledger)
    assert ledger.split(lease, unpack_rows(lease.packed_rows), attempts=2)

    left, right = take(ledger), take(ledger)
    assert [(half.first_row, half.attempt) for half in (left, right)] == [(0, 3), (2, 3)]
    assert [len(unpack_rows(half.packed_rows)) for half in (left, right)] == [2, 3]
    hand_in(ledger, right)
    hand_in(ledger, left)
    assert parts.store.get(job_id, OWNER).status == "completed"
    assert list(parts.store.result_starts(job_id)) == [0, 2]


def test_jobs_take_turns(parts: JobParts, ledger: Ledger) -> None:
    long_one = add_job(parts, chunks=6)
    assert [take(ledger).job_id for _ in range(2)] == [long_one, long_one]
    short_ones = [add_job(parts, chunks=1), add_job(parts, chunks=1)]

    turns = [take(ledger).job_id for _ in range(4)]

    assert set(turns[:3]) == {long_one, *short_ones}
    assert turns[3] == long_one


def test_a_chunk_that_nobody_has_is_found_again(parts: JobParts, ledger: Ledger, redis: Redis) -> None:
    job_id = add_job(parts, chunks=2)
    redis.delete(keys.job_part(job_id, ":open"), keys.JOB_TURNS)
    assert ledger.lease("w") is None
    assert ledger.sweep() == (2, 1)
    assert sorted(take(ledger).first_row for _ in range(2)) == [0, 4]


def test_a_cancelled_job_ends_when_the_worker_that_has_its_last_chunk_died(parts: JobParts, ledger: Ledger) -> None:
    job_id = add_job(parts)
    take(ledger, "dead")
    parts.store.cancel(job_id, OWNER)
    time.sleep(0.15)
    ledger.sweep()
    assert parts.store.get(job_id, OWNER).status == "cancelled"


def test_a_lease_brings_the_options_of_its_job(parts: JobParts, ledger: Ledger) -> None:
    options = VerdictOptions("strict", (("curse", 0.4),))
    add_job(parts, chunks=1)
    add_job(parts, chunks=1, options=options)

    assert [take(ledger).options for _ in range(2)] == [None, options]


@pytest.mark.parametrize("later", ['"version":2', '"options":{"policy":"board1"}'])
def test_a_job_of_a_later_version_is_left_alone_and_others_go_on(
    parts: JobParts, ledger: Ledger, redis: Redis, later: str
) -> None:
    job_id = add_job(parts, chunks=1)
    redis.hset(keys.job_part(job_id, ""), "spec", f'{{"format":"txt",{later}}}')
    other = add_job(parts, chunks=1)

    with pytest.raises(UnavailableError, match=f"{job_id} was accepted by a later version"):
        ledger.lease("w")

    lease = take(ledger)
    assert lease.job_id == other
    hand_in(ledger, lease)
    redis.hset(keys.job_part(job_id, ""), "spec", '{"format":"txt"}')
    assert take(ledger).attempt == 1  # it was given back as if it had never been taken
