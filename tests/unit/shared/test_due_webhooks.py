"""Webhooks of jobs that have ended: each is claimed by one, and settled."""

import pytest
from redis import Redis

from api.jobs.webhook_queue import Busy, DueWebhook, WebhookEnd
from shared import keys
from shared.jobs.ledger import Ledger
from shared.jobs.records import Webhook
from tests.support.job_parts import JobParts
from tests.support.ledger_jobs import HOOK, OWNER, add_job, hand_in, take

pytestmark = pytest.mark.integration


def test_a_webhook_is_due_at_the_end_and_is_claimed_by_one(parts: JobParts, ledger: Ledger) -> None:
    job_id = add_job(parts, chunks=1, webhook_url=HOOK)
    assert parts.webhooks.claim(60, Busy()) is None
    assert parts.store.get(job_id, OWNER).webhook == Webhook("waiting", 0, None, None)
    hand_in(ledger, take(ledger))
    assert parts.webhooks.claim(60, Busy()) == DueWebhook(job_id, OWNER, "example.com", 1)
    assert parts.webhooks.claim(60, Busy()) is None
    assert parts.store.get(job_id, OWNER).webhook == Webhook("pending", 1, None, None)
    parts.webhooks.settle(job_id, WebhookEnd("pending", "it was slow", -1))
    due = parts.webhooks.claim(60, Busy())
    assert due is not None
    assert due.attempt == 2
    parts.webhooks.settle(job_id, WebhookEnd("failed", "it was slow"))
    assert parts.webhooks.claim(60, Busy()) is None
    assert parts.store.get(job_id, OWNER).webhook == Webhook("failed", 2, "it was slow", None)


def test_webhooks_to_a_busy_receiver_or_of_a_busy_owner_are_passed_over(parts: JobParts, ledger: Ledger) -> None:
    hooks = ["https://Slow.example:8443/a?b", "https://slow.example:8443#c", "http://quick.example/"]
    jobs = [add_job(parts, chunks=1, webhook_url=hook) for hook in hooks]
    for _ in jobs:
        hand_in(ledger, take(ledger))
    assert parts.webhooks.claim(60, Busy(owners=(OWNER,))) is None
    found = [parts.webhooks.claim(60, Busy(busy)) for busy in (("slow.example:8443",), ("slow.example:8443",), (), ())]

    first, second, *others = [due and (due.job_id, due.receiver) for due in found]
    assert (first, second) == ((jobs[2], "quick.example"), None)
    # Both have been due since the same second.
    assert set(others) == {(jobs[0], "slow.example:8443"), (jobs[1], "slow.example:8443")}


def test_a_deleted_job_has_no_webhook_and_none_comes_back_with_its_settlement(
    parts: JobParts, ledger: Ledger, redis: Redis
) -> None:
    job_id = add_job(parts, chunks=1, webhook_url=HOOK)
    hand_in(ledger, take(ledger))
    assert parts.webhooks.claim(0, Busy()) is not None
    parts.store.delete(job_id, OWNER)
    parts.webhooks.settle(job_id, WebhookEnd("delivered"))

    assert parts.webhooks.claim(60, Busy()) is None
    assert not redis.exists(keys.job_part(job_id, ""))
