"""Sources of models as users have them, on disk: a folder with a checkpoint and the files that belong to it."""

import json
from pathlib import Path
from typing import Any

from tests.support.checkpoints import LABELS, bert_classifier, save, write_sentencepiece
from tests.support.pickles import dumps


def write_legacy_folder(folder: Path, state: Any = None, labels: tuple[str, ...] = LABELS) -> Path:
    """`textClassifierModel.pt`, `category.pkl` and a SentencePiece model."""
    folder.mkdir(parents=True, exist_ok=True)
    save(bert_classifier().state_dict() if state is None else state, folder / "textClassifierModel.pt")
    (folder / "category.pkl").write_bytes(dumps({label: index for index, label in enumerate(labels)}))
    write_sentencepiece(folder / "spiece.model")
    return folder


def write_transformers_folder(folder: Path, **config: Any) -> Path:
    """What `save_pretrained` leaves, and a SentencePiece model; `config` changes its config."""
    model = bert_classifier()
    model.config.id2label = dict(enumerate(LABELS))
    model.config.label2id = {label: index for index, label in enumerate(LABELS)}
    model.save_pretrained(folder)
    write_sentencepiece(folder / "spiece.model")
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    return folder
