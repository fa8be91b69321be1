"""The handler that this project replaces, as its README tells: PyTorch, one text at a time, padded to 64 tokens.

Its weights are not to be had, so they are drawn at random: what it answers means nothing, how long it takes does.

PEER_BUNDLE  the bundle whose tokenizer is used; the original's own reads a text no faster
PEER_SHAPE   `kobert`, the original's network (12 x 768, 8,002 tokens), or `embedded`, the size of the included model
PEER_INT8    1: the linear layers are rounded dynamically, as the original's were
"""

import os
from pathlib import Path
from typing import Any

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from tokenizers import Tokenizer
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import BertConfig, BertModel

MAX_LENGTH = 64
LABELS = ("clean", "curse", "conflictOfGeneration", "insult", "caricature")
SHAPES: dict[str, dict[str, Any]] = {
    "kobert": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3_072},
    "embedded": {"hidden_size": 384, "num_hidden_layers": 4, "num_attention_heads": 12, "intermediate_size": 1_536},
}
VOCABULARY = 8_002
PAD = 1


class BERTClassifier(nn.Module):
    def __init__(self, bert: BertModel):
        super().__init__()
        self.bert = bert
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(bert.config.hidden_size, len(LABELS))

    def forward(self, token_ids: torch.Tensor, valid_length: torch.Tensor, segment_ids: torch.Tensor) -> torch.Tensor:
        mask = (torch.arange(token_ids.shape[1])[None, :] < valid_length[:, None]).long()
        pooled = self.bert(input_ids=token_ids, token_type_ids=segment_ids, attention_mask=mask).pooler_output
        logits: torch.Tensor = self.classifier(self.dropout(pooled))
        return logits


class BERTDataset(Dataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]):
    def __init__(self, texts: list[str], tokenizer: Tokenizer):
        self.rows = [tokenizer.encode(text).ids for text in texts]

    def __getitem__(self, place: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        ids = [min(token, VOCABULARY - 1) for token in self.rows[place]]
        padded = ids + [PAD] * (MAX_LENGTH - len(ids))
        return torch.tensor(padded), torch.tensor(len(ids)), torch.zeros(MAX_LENGTH, dtype=torch.long)

    def __len__(self) -> int:
        return len(self.rows)


def build() -> nn.Module:
    torch.manual_seed(17)
    shape = SHAPES[os.environ.get("PEER_SHAPE", "kobert")]
    model = BERTClassifier(BertModel(BertConfig(vocab_size=VOCABULARY, pad_token_id=PAD, **shape))).eval()
    if os.environ.get("PEER_INT8"):
        model = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)  # type: ignore[no-untyped-call]
    return model


torch.set_num_threads(len(os.sched_getaffinity(0)))
tokenizer = Tokenizer.from_file(str(Path(os.environ["PEER_BUNDLE"]) / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(MAX_LENGTH)
model = build()
app = FastAPI()


class TextRequest(BaseModel):
    text: str


@app.post("/predict")
async def predict(request: TextRequest) -> dict[str, str]:
    """Blocks the event loop, as the original does: one text after the other."""
    loader = DataLoader(BERTDataset([request.text], tokenizer), batch_size=1, num_workers=0)
    with torch.no_grad():
        for token_ids, valid_length, segment_ids in loader:
            logits = model(token_ids, valid_length, segment_ids)
    return {"text": request.text, "classification": LABELS[int(logits[0].argmax())]}
