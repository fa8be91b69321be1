"""The list of doors."""

from fastapi import FastAPI

from api.doors.huggingface import routes as huggingface
from api.doors.openai import batches, files, models, moderations
from api.doors.perspective import routes as perspective

ROUTERS = (perspective.router, moderations.router, models.router, files.router, batches.router, huggingface.router)


def include(app: FastAPI) -> None:
    """Add the routes of every door."""
    for router in ROUTERS:
        app.include_router(router)
