"""The report that the pipeline writes, `docs/model.md`, from the findings alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from training.learn.metrics import Confusion
from training.score.evaluate import QUESTIONS, SetShare
from training.score.findings import BundleFindings, Findings, Verdicts
from training.score.plots import plot_curves
from training.ship.serving import STANDARD, STRICTNESSES

REPORT_FILE = "model.md"
NOTES_FILE = "research/model-notes.md"


def write_report(findings: Findings, docs: Path) -> Path:
    """Write the report and its plots into folder `docs`."""
    docs.mkdir(parents=True, exist_ok=True)
    parts = [_opening(findings), *(_bundle_part(bundle, findings, docs) for bundle in findings.bundles)]
    path = docs / REPORT_FILE
    path.write_text("\n\n".join([*parts, _data(findings)]) + "\n", encoding="utf-8")
    return path


def _opening(findings: Findings) -> str:
    names = ", ".join(f"`{bundle.name}`" for bundle in findings.bundles)
    return (
        f"# The embedded models\n\nWritten by `make model` from what it measured; do not edit. Bundles: {names}. "
        f"How they were made and what was tried: [{NOTES_FILE}]({NOTES_FILE}). What the labels mean, with examples, "
        "and the licences of\nthe sources: the card in each bundle's folder.\n\n"
        "All figures are of the int8 bundle as it ships. *Tuned* sets are dev rows that the thresholds were fitted to, "
        "so expect a\nlittle less elsewhere. Nothing was trained on the others and no threshold was fitted to them. "
        "They are not blind, though: the\nweights of the first three rounds and the steepness of scores were picked "
        "with their figures in view. The weights of later rounds and the\nshare of the wide part were picked on dev "
        "rows alone; from where `threat` counts, by what it flags of 14,000 unlabelled news comments, with the sets of "
        "threats\nand not-threats in view. The sentences of the fourth round were\nwritten after the figures of "
        "the model before, and two dozen texts that it got wrong, had been read in this report; those of\nthe fifth "
        "by writers who had read neither. Between three fits of the wide part's\n`threat`, the sets of threats, "
        "not-threats and long texts decided (research/model-notes.md). "
        "Speed is of the machine as it was while the pipeline ran."
    )


def _bundle_part(bundle: BundleFindings, findings: Findings, docs: Path) -> str:
    parts = [f"## `{bundle.name}`", _facts(bundle)]
    if bundle.verdicts:
        parts += _verdict_parts(bundle.name, bundle.verdicts, findings, docs)
    if bundle.sentiment:
        parts.append(_sentiment(bundle.sentiment))
    return "\n\n".join(parts)


def _facts(bundle: BundleFindings) -> str:
    speed = bundle.speed
    return (
        "| | |\n|---|---|\n"
        f"| network | {bundle.layers} layers, hidden {bundle.width}, int8{_wide(bundle)} |\n"
        f"| revision | `{bundle.revision}` (before its card was written) |\n"
        f"| bundle | {bundle.bytes_total / 1e6:.2f} MB |\n"
        f"| engine, {speed.threads} threads, {speed.texts:,} texts of one window each by length, "
        f"mean {speed.mean_tokens:.1f} tokens | "
        f"{speed.slowest:,.0f} / {speed.median:,.0f} / {speed.fastest:,.0f} texts a second (min / median / max) |\n"
        f"| most that a score moves with its batch | {bundle.batch_drift:.3f} |"
    )


def _wide(bundle: BundleFindings) -> str:
    return f"; beside it weights of pieces and pairs of pieces in {bundle.buckets:,} buckets" if bundle.buckets else ""


def _verdict_parts(name: str, verdicts: Verdicts, findings: Findings, docs: Path) -> list[str]:
    plot = f"model-{name}-curves.svg"
    plot_curves(verdicts.curves, docs / plot)
    return [
        "### Harmless text that is flagged\n\n" + share_table(verdicts.sets, findings.filters, bad=False),
        "### Bad text that is found\n\n" + share_table(verdicts.sets, findings.filters, bad=True),
        _diluted(verdicts),
        _unlabelled(verdicts),
        _questions(verdicts, findings),
        _curves(plot),
        _labels(verdicts),
        _calibration(verdicts),
        _int8(verdicts),
        _examples(verdicts),
    ]


def share_table(sets: Sequence[SetShare], filters: Mapping[str, Sequence[SetShare]], *, bad: bool) -> str:
    """A row a set: what each strictness and each keyword filter flags of it, in per cent."""
    names = list(filters)
    head = f"| {'bad' if bad else 'harmless'} | texts | goal at `standard` | {' | '.join(STRICTNESSES)} |"
    lines = [head + "".join(f" {name} |" for name in names), "|---|---|---|---|---|---|" + "---|" * len(names)]
    by_filter = {name: {item.name: item.flagged[name] for item in shares} for name, shares in filters.items()}
    for item in sets:
        if item.bad == bad:
            goal = "" if item.limit is None else f"{'>=' if bad else '<='} {100 * item.limit:.1f} %"
            own = [item.flagged[level] for level in STRICTNESSES]
            theirs = [by_filter[name].get(item.name) for name in names]
            cells = " | ".join(_percent(share) for share in [*own, *theirs])
            lines.append(f"| {item.name}{'' if item.tuned else ' (not tuned)'} | {item.texts:,} | {goal} | {cells} |")
    return "\n".join(lines)


def shown(score: float) -> str:
    """A threshold: two digits behind the point, more where these would be naught."""
    return f"{score:.2f}" if score >= 0.01 else f"{score:.4f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _curves(plot: str) -> str:
    return (
        "### Found against flagged\n\nAs one common threshold moves: bad texts found, against K-MHaS *not_hate* "
        f"flagged.\n\n![found against flagged]({plot})"
    )


def _diluted(verdicts: Verdicts) -> str:
    lines = [f"| {side} | {_percent(share)} |" for side, share in verdicts.diluted.items()]
    return (
        "### A curse among pleasant sentences\n\nOf the curse-detection curses that are found alone, the share found "
        "between pleasant sentences\n(`tests/data/pleasant.txt`). Goal: 95 %.\n\n"
        "| sentences on each side | found |\n|---|---|\n" + "\n".join(lines)
    )


def _unlabelled(verdicts: Verdicts) -> str:
    shares = ", ".join(f"`{level}` {_percent(share)}" for level, share in verdicts.unlabelled.items())
    return (
        f"### Ordinary news comments\n\nShare of 28,000 unlabelled news comments that is not `clean`: {shares}. "
        "A hundred of them, read by hand:\n[research/comments-read.md](research/comments-read.md)."
    )


def _questions(verdicts: Verdicts, findings: Findings) -> str:
    names = list(findings.filter_questions)
    lines = [
        "| macro-F1 | strictness | goal | this bundle | " + "".join(f"{name} | " for name in names),
        "|---|---|---|---|" + "---|" * len(names),
    ]
    for question in QUESTIONS:
        own = verdicts.questions.get(question.name)
        theirs = [findings.filter_questions[name].get(question.name) for name in names]
        cells = " | ".join("" if counts is None else f"{counts.macro_f1:.3f}" for counts in [own, *theirs])
        lines.append(f"| {question.name} | `{question.strictness}` | {question.goal:.2f} | {cells} |")
    counts = [
        f"- {name}: {found.true_positive} found, {found.false_negative} missed, "
        f"{found.false_positive} wrongly flagged, {found.true_negative} left alone"
        for name, found in verdicts.questions.items()
    ]
    return "### By the one word\n\n" + "\n".join([*lines, "", *counts])


def _labels(verdicts: Verdicts) -> str:
    lines = [
        "| label | precision | recall | F1 | calibration error | counts from (`lenient`, `standard`, `strict`) |",
        "|---|---|---|---|---|---|",
    ]
    for label in verdicts.labels:
        scores = " / ".join(shown(verdicts.thresholds[label.name][level]) for level in STRICTNESSES)
        lines.append(f"| `{label.name}` | {_figures(label.counts)} | {label.calibration_error:.3f} | {scores} |")
    return (
        "### Labels\n\nAt `standard`, each against the dev rows whose source says whether it holds. "
        "A source that tells only good from\nbad is silent on which label a bad text should have.\n\n"
        + "\n".join(lines)
    )


def _figures(counts: Confusion) -> str:
    return f"{counts.precision:.3f} | {counts.recall:.3f} | {counts.f1:.3f}"


def _calibration(verdicts: Verdicts) -> str:
    lines = [f"| {name} | {error:.3f} |" for name, error in verdicts.source_errors.items()]
    return (
        "### Calibration\n\n"
        f"Expected calibration error of `clean` over a mixture that looks like use (nine harmless texts in ten; the "
        f"weights are in\n`training/data/sets.py`): {verdicts.calibration_error:.3f}. By set, the mean distance of the "
        "score from what the set is:\n\n| set | distance |\n|---|---|\n" + "\n".join(lines)
    )


def _int8(verdicts: Verdicts) -> str:
    moved = [
        (item.name, 100 * (item.flagged[STANDARD] - verdicts.float32.get(item.name, item.flagged[STANDARD])))
        for item in verdicts.sets
    ]
    name, most = max(moved, key=lambda pair: abs(pair[1]))
    return f"### Int8\n\nThe set that int8 moves most against float32 at `standard`: {name}, {most:+.1f} points."


def _examples(verdicts: Verdicts) -> str:
    missed = "\n".join(f"- {text}" for text in verdicts.missed) or "- none"
    wrong = "\n".join(f"- {text}" for text in verdicts.wrongly_flagged) or "- none"
    return (
        f"### Wrong on the test sets\n\nBad texts missed, a sample:\n\n{missed}\n\nHarmless texts flagged:\n\n{wrong}"
    )


def _sentiment(scores: Mapping[str, float]) -> str:
    lines = [f"| {name} | {share:.3f} |" for name, share in scores.items()]
    return "| accuracy | |\n|---|---|\n" + "\n".join(lines)


def _data(findings: Findings) -> str:
    names = sorted({*findings.rows_by_source, *findings.dev_rows_by_source})
    rows = [
        f"| {name} | {findings.rows_by_source.get(name, 0):,} | {findings.dev_rows_by_source.get(name, 0):,} |"
        for name in names
    ]
    return "## Rows\n\n| source | to learn from | dev |\n|---|---|---|\n" + "\n".join(rows)
