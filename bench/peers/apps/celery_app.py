"""FastAPI in front of Celery's own prefork workers: one task a text, its answer through the result backend."""

import os

from celery import Celery
from celery.signals import worker_process_init
from fastapi import FastAPI
from pydantic import BaseModel

celery = Celery("peer", broker=os.environ["PEER_REDIS"], backend=os.environ["PEER_REDIS"])
celery.conf.result_expires = 60
app = FastAPI()
_models: list = []


@worker_process_init.connect
def load_model(**_: object) -> None:
    from handler import Handler  # noqa: PLC0415  the web process needs no model

    _models.append(Handler())


@celery.task(name="predict")
def predict_task(text: str) -> dict:
    return _models[0].predict([text])[0]


class Body(BaseModel):
    text: str


@app.post("/predict")
def predict(body: Body) -> list[dict]:
    return [predict_task.delay(body.text).get(timeout=60)]
