"""The parts of the process that routes use, built by `api.main` and kept on the application."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.corrections.service import CorrectionService
from api.jobs.service import JobService
from api.queue.dispatcher import Dispatcher
from api.queue.fleet import Fleet
from api.queue.judging import Judging
from api.queue.publisher import Publisher
from api.store_watch import StoreWatch
from shared.settings import Settings


@dataclass(frozen=True)
class Context:
    """The parts of a running API process."""

    settings: Settings
    dispatcher: Dispatcher
    fleet: Fleet
    judging: Judging
    publisher: Publisher
    jobs: JobService
    corrections: CorrectionService
    version: str
    started_at: float
    store_watch: StoreWatch


def _context_of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(_context_of)]
