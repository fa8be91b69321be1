"""FastAPI and ONNX Runtime: a plain handler in FastAPI's thread pool, no batching."""

from typing import Any

from fastapi import FastAPI
from handler import Handler
from pydantic import BaseModel

app = FastAPI()
model = Handler()


class Body(BaseModel):
    text: str | None = None
    texts: list[str] | None = None


@app.post("/predict")
def predict(body: Body) -> list[dict[str, Any]]:
    return model.predict([body.text] if body.text is not None else body.texts or [])
