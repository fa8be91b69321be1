"""`GET /v1/models`: what is served, in OpenAI's words."""

from typing import Any

from fastapi import APIRouter, Depends

from api.context import ContextDep
from api.doors.openai.errors import OpenAiRoute, unknown_model
from api.http.auth import require_scope
from api.queue.fleet import Fleet
from shared.errors import NotFoundError

# Names of OpenAI's models, which clients send by themselves; the served model answers.
ALIASES = (
    "omni-moderation-latest",
    "omni-moderation-2024-09-26",
    "text-moderation-latest",
    "text-moderation-stable",
    "text-moderation-007",
)

router = APIRouter(route_class=OpenAiRoute, include_in_schema=False, dependencies=[Depends(require_scope("predict"))])


@router.get("/v1/models")
async def list_models(context: ContextDep) -> dict[str, Any]:
    """The served models, and the names of OpenAI's that they answer to."""
    return {"object": "list", "data": [_show(name, started) for name, started in known_models(context.fleet).items()]}


@router.get("/v1/models/{name:path}")
async def get_model(name: str, context: ContextDep) -> dict[str, Any]:
    """One of them."""
    return _show(name, require_model(name, context.fleet))


def known_models(fleet: Fleet) -> dict[str, float]:
    """The name of each served model, and each alias, with when its oldest worker started (Unix seconds)."""
    fleet.require_live_worker()
    workers = sorted(fleet.workers, key=lambda worker: worker.started_at, reverse=True)
    started = {worker.model.name: worker.started_at for worker in workers}
    return started | dict.fromkeys(ALIASES, workers[-1].started_at)


def require_model(name: str, fleet: Fleet) -> float:
    """When a model was started, by its name or an alias.

    Raises:
        NotFoundError: no model has this name.
    """
    known = known_models(fleet)
    if name not in known:
        missing: NotFoundError = unknown_model(name, list(known))
        raise missing
    return known[name]


def _show(name: str, started: float) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(started), "owned_by": "kobert-classifier"}
