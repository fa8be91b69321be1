"""The model card of a bundle that `kobert model train` made: its labels, its scores, and how to serve it."""

from collections.abc import Mapping, Sequence

import numpy as np

from bundles.format import BundleConfig
from training.learn.metrics import Confusion
from training.user_table import FEWEST_SCORED, hardly_scored


def user_card(
    config: BundleConfig,
    *,
    rows: Sequence[int],
    accuracy: float,
    scores: Mapping[str, Confusion],
    confusions: Sequence[Sequence[int]],
) -> str:
    """Markdown.

    `rows` are the numbers of texts trained on, of corrections among them, and of texts scored on. `scores` are those of
    the int8 graph on the latter, by label; `confusions` their numbers by their label and by the one they were given.
    """
    train_rows, corrections, dev_rows = rows
    learnt = f"{train_rows:,} texts{_of_them(corrections)}"
    clean = f"`{config.clean_label}` means that nothing is wrong." if config.clean_label else "No label means clean."
    is_single = config.problem_type == "single_label_classification"
    how_many, chosen = ("one label", "temperature of the scores")
    if not is_single:
        how_many, chosen = ("any number of labels", "thresholds of the labels")
    macro_f1 = float(np.mean([counts.f1 for counts in scores.values()]))
    return f"""---
language: ko
pipeline_tag: text-classification
library_name: kobert-classifier
tags: [kobert-classifier, onnx, int8]
metrics: [accuracy, f1]
---

# {config.name}

A text classifier with {how_many} a text, int8, trained by `kobert model train` on {learnt}. Its
labels: {", ".join(config.labels)}. {clean}

## Scores

On {dev_rows:,} texts that were kept apart from training, a tenth of each label, measured on the int8 graph that is
served. The epoch and the {chosen} were chosen on the same texts, so expect a little less elsewhere.

Accuracy {accuracy:.3f}, macro F1 {macro_f1:.3f}.

| label | precision | recall | F1 |
|---|---|---|---|
{_table(scores)}

Texts by their label (row) and by the label that they were given (column):

{_confusion_table(config.labels, confusions)}
{_warning(config.labels, confusions)}
## Use

Serve it from a clone of the service with `make run MODEL=<this folder or repository>`.
"""


def _of_them(corrections: int) -> str:
    return f", of which {corrections:,} are corrections of a served model's answers" if corrections else ""


def _table(scores: Mapping[str, Confusion]) -> str:
    return "\n".join(
        f"| {_cell(label)} | {counts.precision:.3f} | {counts.recall:.3f} | {counts.f1:.3f} |"
        for label, counts in scores.items()
    )


def _confusion_table(labels: Sequence[str], confusions: Sequence[Sequence[int]]) -> str:
    head = f"| | {' | '.join(map(_cell, labels))} |\n|---|{'---|' * len(labels)}\n"
    rows = [
        f"| {_cell(label)} | {' | '.join(map(str, counts))} |" for label, counts in zip(labels, confusions, strict=True)
    ]
    return head + "\n".join(rows)


def _warning(labels: Sequence[str], confusions: Sequence[Sequence[int]]) -> str:
    few = hardly_scored(labels, confusions)
    return f"\nFewer than {FEWEST_SCORED} texts were there to score these labels: {', '.join(few)}.\n" if few else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
