"""What the routes share: the parts that `api.main` built, kept on the application."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.jobs.desk import JobDesk
from api.queue.dispatcher import Dispatcher
from api.queue.fleet import Fleet
from api.queue.publisher import Publisher
from shared.settings import Settings


@dataclass(frozen=True)
class Context:
    """The parts of a running API process."""

    settings: Settings
    dispatcher: Dispatcher
    fleet: Fleet
    publisher: Publisher
    jobs: JobDesk
    version: str
    started_at: float


def _context_of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(_context_of)]
