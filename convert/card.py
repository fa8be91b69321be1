"""The model card of a converted bundle: its `README.md`."""

import json

from bundles.format import BundleConfig
from bundles.record import ConversionRecord

_CARD = """---
language: ko
pipeline_tag: text-classification
library_name: kobert-classifier
tags: [kobert-classifier, onnx, int8]
---

# {name}

A Korean text classifier as a model bundle for [kobert-classifier](https://pypi.org/project/kobert-classifier/):
an int8 ONNX graph, its tokenizer and its labels. Serve it with `make run MODEL=<this folder or repository>`.

| | |
|---|---|
| made from | `{source}` |
| revision of the source | `{revision}` |
| model | {model} |
| weights | {weights} |
| tokenizer | {tokenizer} |
| longest text in one piece | {max_length} tokens |
| int8 against float | {drift} |

Labels, in the order of the outputs: {labels}.{clean}

The training data, the intended use and the licence are those of the source; this conversion adds none.
"""


def write_card(config: BundleConfig, record: ConversionRecord) -> str:
    """The text of the card."""
    clean = f" `{config.clean_label}` means that nothing is wrong." if config.clean_label else ""
    return _CARD.format(
        name=config.name,
        source=record.source,
        revision=record.source_revision,
        model=record.model,
        weights=record.weights,
        tokenizer=record.tokenizer,
        max_length=config.max_length,
        drift=record.drift.describe(),
        labels=", ".join(json.dumps(label, ensure_ascii=False) for label in config.labels),
        clean=clean,
    )
