"""`python -m training.cascade`: fits and certifies the cascade of a bundle, on what the bundle itself says.

    python -m training.cascade                    of the embedded model: puts `cascade.msgpack` into models/default
    python -m training.cascade --bundle FOLDER    of another one
    python -m training.cascade --dry-run          writes nothing, prints what it would answer and what would be lost

What a graph has said of a text is kept in the work folder, so a run after a change of thresholds takes a minute. A
cascade is for one graph, tokenizer and config: after a change of any of them it is not used until it is made again.
"""

import argparse
import logging
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bundles.cascade import CascadeTable
from bundles.format import Bundle, load_bundle, sha256_of
from bundles.windows import whole_windows
from shared.errors import KobertError
from training.data.noise import disguise_text
from training.data.parts import COMMENTS, FIT, HELD, TUNE, held_texts, part_of, read_by_cascade
from training.data.prepare import training_rows
from training.data.signals import ANY
from training.data.sources import Row, held_out_rows, read_folder
from training.learn.cascade import fit_table
from training.said import SaidStore
from training.ship.bundle import GraphRunner
from training.ship.cascade import Evidence, Said, Tally, certified, put_into, tally
from training.ship.cascade_plan import CascadePlan
from training.ship.serving import taxonomy_of
from training.workspace import EMBEDDED

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[1]
DISGUISED, PADDED = "disguised", "padded"
_PADDING = ((1, 0), (0, 1), (1, 1), (2, 2))
"""Clean sentences before and after a text that is padded."""
_PADDING_TOKENS = 20
_PADDING_CLEAN = 0.95
_TESTS = "tests"
_COLUMNS = (
    "texts of",
    "texts",
    "answered",
    "labels as the model's",
    "not clean",
    "of them lost",
    "curses and threats",
    "of them lost",
    "score of `clean` moves by",
    "by more than 0.1",
)


@dataclass(frozen=True)
class Text:
    """A text with its source and the part that it is in."""

    text: str
    source: str
    part: str


def split(rows: Sequence[Row], plan: CascadePlan) -> list[Text]:
    """The texts of each part, those of the certificate first. What was made up for training is only fitted on."""
    generator = np.random.default_rng(plan.seed)
    own = {row.source for row in rows}
    learnt = read_by_cascade(training_rows(rows))
    drawn = [learnt[index] for index in generator.permutation(len(learnt))]
    # Comments first: they are what the service reads.
    drawn.sort(key=lambda row: row.source != COMMENTS)
    part = {id(row): part_of(row) if row.source in own else FIT for row in drawn}
    tuned = [row for row in drawn if part[id(row)] == TUNE][: plan.most_tune]
    fitted = [row for row in drawn if part[id(row)] == FIT][: plan.most_fit]
    bad = [row.text for row in fitted if row.targets.get(ANY) == 1]
    disguised = [bad[index] for index in generator.permutation(len(bad))[: plan.disguised]]
    return [
        *(Text(row.text, row.source, HELD) for row in held_texts(rows, plan.most_held)),
        *(Text(row.text, row.source, TUNE) for row in tuned),
        *(Text(row.text, row.source, FIT) for row in fitted),
        *(Text(disguise_text(text, generator), DISGUISED, FIT) for text in disguised),
    ]


def padded_texts(said: Said, plan: CascadePlan) -> list[Text]:
    """The texts that the model finds not clean, each between sentences of `said` that it finds clean."""
    generator = np.random.default_rng(plan.seed)
    short = np.array([len(row) <= _PADDING_TOKENS for row in said.ids])
    clean = np.flatnonzero(short & ~said.bad & (said.clean > _PADDING_CLEAN))
    found = []
    for index in np.flatnonzero(said.bad)[: plan.most_padded].tolist() if len(clean) else []:
        before, after = _PADDING[generator.integers(len(_PADDING))]
        around = [said.texts[place] for place in generator.choice(clean, before + after).tolist()]
        found.append(Text(" ".join([*around[:before], said.texts[index], *around[before:]]), PADDED, PADDED))
    return found


def evidence_of(bundle: Bundle, said: Said, work: Path, plan: CascadePlan) -> Evidence:
    """Texts of one part with those that are padded; the texts themselves if none can be."""
    padded = padded_texts(said, plan)
    return Evidence(said, read_texts(bundle, padded, work) if padded else said)


def _read_by(bundle: Bundle) -> str:
    """A name for what decides the logits of a text: the graph, and the windows that it is read in."""
    config = bundle.config
    return f"{sha256_of(bundle.model_path)[:12]}-{config.max_length}-{config.window_overlap}-{config.sentence_discount}"


def read_texts(bundle: Bundle, texts: Sequence[Text], work: Path) -> Said:
    """What the bundle says of the texts."""
    runner = GraphRunner.of_bundle(bundle, threads=1)
    store = SaidStore(work / f"said-{_read_by(bundle)}", runner)
    logits = store.logits([text.text for text in texts])
    windows = runner.windows_of([text.text for text in texts])
    return Said(
        [text.text for text in texts],
        [text.source for text in texts],
        [own[0] for own in windows],
        [len(whole_windows(own)) for own in windows],
        logits,
        taxonomy_of(bundle.config),
    )


def make_cascade(
    bundle: Bundle, rows: Sequence[Row], plan: CascadePlan, work: Path
) -> tuple[CascadeTable, list[Tally]]:
    """The cascade of `bundle`, and what it does to the held-out texts, by source, and to the test sets, by file."""
    texts = split(rows, plan)
    tests = [Text(row.text, _TESTS, _TESTS) for row in held_out_rows()]
    said = read_texts(bundle, [*tests, *texts], work)
    part = np.array([text.part for text in (*tests, *texts)])
    fitted = said.part(part == FIT)
    log.info("fitting on %d texts, %d of them not clean", len(fitted.texts), fitted.bad.sum())
    pieces = GraphRunner.of_bundle(bundle, threads=1).tokenizer.get_vocab_size()
    suspicious = fitted.suspicious(plan.suspicious)
    table = fit_table(fitted.ids, suspicious, fitted.grave, plan.table, pieces=pieces)
    held = said.part(part == HELD)
    tuned, certifying = (evidence_of(bundle, own, work, plan) for own in (said.part(part == TUNE), held))
    cascade = certified(bundle, table, tuned, certifying, plan.cut)
    sources = sorted(set(held.sources))
    tallies = [
        tally("all", cascade, held),
        *(tally(name, cascade, held.part(np.array([own == name for own in held.sources]))) for name in sources),
        tally("tests/data", cascade, said.part(part == _TESTS)),
        tally(PADDED, cascade, certifying.padded),
    ]
    return cascade, tallies


def table_of(tallies: Iterable[Tally]) -> str:
    """The tallies as a table of Markdown."""
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    lines += [
        f"| {found.name} | {found.texts:,} | {found.share:.1%} | {found.agreement:.3%} | {found.bad:,} | {found.lost} "
        f"| {found.grave:,} | {found.grave_lost} | {found.moved:.4f} | {found.far:.2%} |"
        for found in tallies
    ]
    return "\n".join(lines)


def main() -> int:
    """Parse, run, and say in one sentence what went wrong. Returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    options = _parser().parse_args()
    try:
        bundle = load_bundle(options.bundle)
        cascade, tallies = make_cascade(bundle, read_folder(options.data), CascadePlan(), options.work)
        sys.stdout.write(table_of(tallies) + "\n")
        if not options.dry_run:
            log.info("the bundle's revision is now %s", put_into(bundle, cascade).revision)
    except KobertError as error:
        log.error("%s", error.message)  # noqa: TRY400  a sentence, not a trace
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.cascade", description=__doc__.partition("\n")[0])
    parser.add_argument("--bundle", type=Path, default=EMBEDDED, help="folder of the bundle (default: models/default)")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("KOBERT_DATA") or ROOT.parent / "shared" / "data"),
        help="folder of the labelled files (default: $KOBERT_DATA, ../shared/data)",
    )
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "cascade", help="where logits are kept")
    parser.add_argument("--dry-run", action="store_true", help="print the table and leave the bundle as it is")
    return parser


if __name__ == "__main__":
    sys.exit(main())
