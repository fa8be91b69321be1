"""FastAPI in front of Celery's own prefork workers: one task a text, its answer through the result backend."""

import os
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.signals import worker_process_init
from fastapi import FastAPI
from pydantic import BaseModel

if TYPE_CHECKING:
    from handler import Handler

celery = Celery("peer", broker=os.environ["PEER_REDIS"], backend=os.environ["PEER_REDIS"])
celery.conf.result_expires = 60
app = FastAPI()
_models: "list[Handler]" = []


@worker_process_init.connect
def load_model(**_: object) -> None:
    from handler import Handler  # noqa: PLC0415  the web process needs no model

    _models.append(Handler())


@celery.task(name="predict")
def predict_task(text: str) -> dict[str, Any]:
    return _models[0].predict([text])[0]


class Body(BaseModel):
    text: str


@app.post("/predict")
def predict(body: Body) -> list[dict[str, Any]]:
    return [predict_task.delay(body.text).get(timeout=60)]
