"""The handler that this project replaces: one process, PyTorch, one text at a time, padded to 64 tokens.

Weights of KoBERT's shape drawn at random: what it answers means nothing, how long it takes does. `PEER_INT8=1` rounds
its linear layers dynamically, as the original did.
"""

import asyncio
import os

import numpy as np
import torch
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import BertConfig, BertForSequenceClassification

MAX_LENGTH = 64
LABELS = ("clean", "curse", "conflictOfGeneration", "insult", "caricature")
SHAPE = {"vocab_size": 8_002, "num_labels": len(LABELS)}

app = FastAPI()
model = BertForSequenceClassification(BertConfig(**SHAPE)).eval()
if os.environ.get("PEER_INT8"):
    model = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)


class Body(BaseModel):
    text: str


@app.post("/predict")
async def predict(body: Body) -> list[dict]:
    """Blocks the event loop, as the original does."""
    await asyncio.sleep(0)
    ids = [1 + ord(char) % 8_000 for char in body.text][:MAX_LENGTH]
    mask = [1] * len(ids) + [0] * (MAX_LENGTH - len(ids))
    ids += [1] * (MAX_LENGTH - len(ids))
    with torch.no_grad():
        logits = model(torch.tensor([ids]), torch.tensor([mask])).logits[0].numpy()
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    top = int(shares.argmax())
    return [{"classification": LABELS[top], "confidence": float(shares[top])}]
