"""The model card of a bundle that `kobert model train` made: its labels, its scores, and how to serve it."""

from collections.abc import Mapping, Sequence

import numpy as np

from bundles.format import BundleConfig
from training.learn.metrics import Confusion


def user_card(
    config: BundleConfig,
    *,
    rows: Sequence[int],
    accuracy: float,
    scores: Mapping[str, Confusion],
    corrections: int = 0,
) -> str:
    """Markdown.

    `rows` are the numbers of texts trained and scored on; `scores` are those of the int8 graph on the latter, by label.
    `corrections` of the former are answers of an earlier model that people put right.
    """
    train_rows, dev_rows = rows
    learnt = f"{train_rows:,} texts{_of_them(corrections)}"
    clean = f"`{config.clean_label}` means that nothing is wrong." if config.clean_label else "No label means clean."
    macro_f1 = float(np.mean([counts.f1 for counts in scores.values()]))
    return f"""# {config.name}

A text classifier with one label a text, int8, trained by `kobert model train` on {learnt}. Its
labels: {", ".join(config.labels)}. {clean}

## Scores

On {dev_rows:,} texts that were kept apart from training, a tenth of each label, measured on the int8 graph that is
served. The epoch and the temperature of the scores were chosen on the same texts, so expect a little less elsewhere.

Accuracy {accuracy:.3f}, macro F1 {macro_f1:.3f}.

| label | precision | recall | F1 |
|---|---|---|---|
{_table(scores)}

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


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
