"""From our verdict to OpenAI's thirteen categories. docs/doors.md has the table.

A category is true when the verdict counts every label that stands for it, and its score is the lowest of theirs. Those
that no label stands for are false and 0. Our own labels follow under their own names.
"""

from collections.abc import Iterable, Mapping, Sequence

from shared.verdict import Verdict

# What a category needs, all of it. A model with a label of a category's own name answers by that.
LABELS: Mapping[str, tuple[str, ...]] = {
    "harassment": ("insult",),
    "harassment/threatening": ("threat",),
    "hate": ("hate",),
    "hate/threatening": ("hate", "threat"),
    "illicit": (),
    "illicit/violent": (),
    "self-harm": (),
    "self-harm/instructions": (),
    "self-harm/intent": (),
    "sexual": (),
    "sexual/minors": (),
    "violence": ("threat",),
    "violence/graphic": (),
}


def show_result(verdicts: Sequence[Verdict], clean: str | None) -> dict[str, object]:
    """OpenAI's object for one input of one part or several: a category is true if it is true of one of them.

    `clean` is the model's label for a text that nobody needs to look at, None if it has none.
    """
    needs = _needs(verdicts[0], clean)
    shown = [_show(verdict, needs) for verdict in verdicts]
    worst = max(verdicts, key=lambda verdict: (verdict.classification != clean, verdict.confidence))
    return {
        "flagged": any(verdict.classification != clean for verdict in verdicts),
        "categories": {name: any(each[name][0] for each in shown) for name in shown[0]},
        "category_scores": {name: max(each[name][1] for each in shown) for name in shown[0]},
        "category_applied_input_types": {name: ["text"] if each else [] for name, each in needs.items()},
        "classification": worst.classification,
    }


def _needs(verdict: Verdict, clean: str | None) -> dict[str, tuple[str, ...]]:
    """The labels that each category needs, OpenAI's first, then ours; none where the model cannot answer it."""
    own = [label for label in verdict.scores if label != clean]
    needs = {name: (name,) if name in own else labels for name, labels in LABELS.items()}
    answered = {name: labels if set(labels) <= set(own) else () for name, labels in needs.items()}
    return answered | {label: (label,) for label in own}


def _show(verdict: Verdict, needs: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[bool, float]]:
    return {
        name: (_all_count(labels, verdict), _lowest(verdict.scores.get(label, 0.0) for label in labels))
        for name, labels in needs.items()
    }


def _all_count(labels: tuple[str, ...], verdict: Verdict) -> bool:
    return bool(labels) and set(labels) <= set(verdict.labels)


def _lowest(scores: Iterable[float]) -> float:
    return min(scores, default=0.0)
