"""The report that the pipeline writes, `docs/model.md`, from the findings alone."""

from pathlib import Path

from training.score.card import score_table
from training.score.evaluate import QUESTIONS
from training.score.findings import BundleFindings, Findings
from training.score.plots import plot_calibration, plot_labels

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
        "# The embedded models\n\nWritten by `make model` from what it measured; do not edit. "
        f"Bundles: {names}. Why they are as they are, and what was\ntried: [{NOTES_FILE}]({NOTES_FILE}). "
        "Each bundle's folder has its card, with sources and licences.\n\n"
        "Every figure is of the dev splits, by the decisions of the int8 bundle at the thresholds that it ships with. "
        "Thresholds\nand calibration were chosen on the same rows. "
        "Speed is of the machine as it was while the pipeline ran."
    )


def _bundle_part(bundle: BundleFindings, findings: Findings, docs: Path) -> str:
    parts = [f"## `{bundle.name}`", _facts(bundle), _questions(bundle, findings), _confusions(bundle)]
    if bundle.labels:
        parts.append(_label_table(bundle, docs))
    parts.append(_calibration(bundle, docs))
    if bundle.robustness:
        parts.append(_robustness(bundle))
    return "\n\n".join(parts)


def _facts(bundle: BundleFindings) -> str:
    speed = bundle.speed
    return (
        "| | |\n|---|---|\n"
        f"| network | {bundle.layers} layers, hidden {bundle.width}, int8 |\n"
        f"| revision | `{bundle.revision}` (before its card was written) |\n"
        f"| bundle | {bundle.bytes_total / 1e6:.2f} MB |\n"
        f"| engine, {speed.threads} threads, {speed.texts:,} texts by length, mean {speed.mean_tokens:.1f} tokens | "
        f"{speed.slowest:,.0f} / {speed.median:,.0f} / {speed.fastest:,.0f} texts a second (min / median / max) |\n"
        f"| calibration error over all labels | {bundle.calibration_error:.3f} |\n"
        f"| everyday sentences held out of training that are flagged | {_percent(bundle.everyday_flagged)} |\n"
        f"| most that a score moves with its batch | {bundle.batch_drift:.3f} |"
    )


def _percent(share: float | None) -> str:
    return "not asked" if share is None else f"{100 * share:.1f} %"


def _questions(bundle: BundleFindings, findings: Findings) -> str:
    columns = {"int8": bundle.int8, "float32": bundle.float32, "teacher, int8": bundle.teacher}
    columns |= findings.baselines if bundle.labels else {}
    return "### Against the goals\n\n" + score_table(columns)


def _confusions(bundle: BundleFindings) -> str:
    lines = [
        "| question | true + | false + | false - | true - | precision | recall | F1 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for question in QUESTIONS:
        counts = bundle.int8.get(question.name)
        if counts:
            lines.append(
                f"| {question.name} | {counts.true_positive} | {counts.false_positive} | {counts.false_negative} | "
                f"{counts.true_negative} | {counts.precision:.3f} | {counts.recall:.3f} | {counts.f1:.3f} |"
            )
    return "### Confusion\n\n" + "\n".join(lines)


def _label_table(bundle: BundleFindings, docs: Path) -> str:
    plot = f"model-{bundle.name}-labels.svg"
    plot_labels(bundle, docs / plot)
    lines = ["| label | threshold | precision | recall | F1 | calibration error |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{label.name}` | {label.threshold:.2f} | {label.counts.precision:.3f} | {label.counts.recall:.3f} | "
        f"{label.counts.f1:.3f} | {label.calibration_error:.3f} |"
        for label in bundle.labels
    ]
    table = "\n".join(lines)
    return (
        f"### Labels\n\nEach against the source whose standard it takes.\n\n{table}\n\n![precision, recall, F1]({plot})"
    )


def _calibration(bundle: BundleFindings, docs: Path) -> str:
    plot = f"model-{bundle.name}-calibration.svg"
    plot_calibration(bundle.curves, docs / plot)
    return f"### Calibration\n\n![observed rate against score]({plot})"


def _robustness(bundle: BundleFindings) -> str:
    found = bundle.robustness
    if found is None:
        return ""
    missed = "\n".join(f"- {text}" for text in found.missed[:12])
    wrong = "\n".join(f"- {text}" for text in found.wrongly_flagged[:12])
    return (
        "### Disguised and innocent text\n\n"
        f"`tests/data/obfuscated.tsv`, {found.pairs} pairs: recall {found.plain_recall:.3f} plain, "
        f"{found.disguised_recall:.3f} disguised, a drop of {found.recall_drop:.1f} points.\n"
        f"`tests/data/innocent.tsv`, {found.innocent} lines: {len(found.wrongly_flagged)} flagged "
        f"({100 * found.false_positive_rate:.1f} %).\n\n"
        f"Disguises that were missed (up to 12):\n\n{missed or '- none'}\n\n"
        f"Innocent lines that were flagged (up to 12):\n\n{wrong or '- none'}"
    )


def _data(findings: Findings) -> str:
    names = sorted({*findings.rows_by_source, *findings.dev_rows_by_source})
    rows = [
        f"| {name} | {findings.rows_by_source.get(name, 0):,} | {findings.dev_rows_by_source.get(name, 0):,} |"
        for name in names
    ]
    return "## Rows\n\n| source | to learn from | dev |\n|---|---|---|\n" + "\n".join(rows)
