"""The parts of the process that routes use, built by `api.main` and kept on the application."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.access.audit_log import AuditLog
from api.corrections.service import CorrectionService
from api.feed.service import FeedService
from api.jobs.owned_records import OwnedRecords
from api.jobs.service import JobService
from api.policies.service import PolicyService
from api.queue.dispatcher import Dispatcher
from api.queue.fleet import Fleet
from api.queue.judging import Judging
from api.queue.publisher import Publisher
from api.reviews.service import ReviewService
from api.store_watch import StoreWatch
from shared.settings import Settings


@dataclass(frozen=True)
class Context:
    """The parts of a running API process."""

    settings: Settings
    dispatcher: Dispatcher
    fleet: Fleet
    judging: Judging
    policies: PolicyService
    publisher: Publisher
    jobs: JobService
    records: OwnedRecords
    corrections: CorrectionService
    reviews: ReviewService
    feed: FeedService
    version: str
    started_at: float
    store_watch: StoreWatch
    audit: AuditLog


def context_of(request: Request) -> Context:
    """The parts of the process that serves `request`."""
    context: Context = request.app.state.context
    return context


async def _provide_context(request: Request) -> Context:
    # A dependency that is not async would send every request through a thread.
    return context_of(request)


ContextDep = Annotated[Context, Depends(_provide_context)]
