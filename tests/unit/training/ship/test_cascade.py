"""The cascade's table and its certificate: that table and worker count alike, and that what is certain stays clean."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import msgspec  # noqa: E402  after the skip
import numpy as np  # noqa: E402

from bundles.cascade import CERTIFIED_FILES, ZERO, CascadeTable, Certificate, cascade_of  # noqa: E402
from bundles.format import load_bundle  # noqa: E402
from shared.errors import ModelSourceError  # noqa: E402
from tests.support.echo import write_echo_bundle  # noqa: E402
from training.cascade import table_of  # noqa: E402
from training.data.parts import FIT, HELD, TUNE, held_texts, part_of, read_by_cascade  # noqa: E402
from training.data.sources import Row  # noqa: E402
from training.learn.cascade import Table, TablePlan, fit_table  # noqa: E402
from training.ship.cascade import Evidence, Said, certified, choose_cut, choose_peaks, put_into, tally  # noqa: E402
from training.ship.cascade_plan import CutPlan  # noqa: E402
from training.ship.serving import ServedLabel, Taxonomy  # noqa: E402

PIECES, FIRST_ID, LAST_ID, CURSE = 40, 1, 2, 9
TAXONOMY = Taxonomy(tuple(ServedLabel(name, name) for name in ("curse", "insult", "threat")), "clean")
MULTI = {
    "problem_type": "multi_label_classification",
    "labels": TAXONOMY.names,
    "clean_label": "clean",
    "thresholds": dict.fromkeys(TAXONOMY.names, 0.5),
    "strictness": {"standard": dict.fromkeys(TAXONOMY.names, 0.5)},
}
PLAN = TablePlan(pairs=256)
CUT = CutPlan(slack=0.0, knots=4)


def said_of(count: int, seed: int) -> Said:
    """Texts of random pieces, which are a curse to the model where piece `CURSE` is in them, and only there."""
    generator = np.random.default_rng(seed)
    ids = [
        [FIRST_ID, *generator.integers(3, PIECES, generator.integers(2, 12)).tolist(), LAST_ID] for _ in range(count)
    ]
    logits = np.full((count, 3), -3.0, dtype=np.float32)
    logits[[CURSE in row for row in ids], 0] = 2.0
    logits[:, 1] += generator.uniform(0, 1, count)
    return Said([str(row) for row in ids], ["made up"] * count, ids, [1] * count, logits, TAXONOMY)


def plain(said: Said) -> Evidence:
    return Evidence(said, said)


@pytest.fixture(scope="module")
def table() -> Table:
    said = said_of(1_500, 1)
    return fit_table(said.ids, said.bad, said.grave, PLAN, pieces=PIECES)


def as_served(table: Table, cut: float = 0.0) -> CascadeTable:
    return CascadeTable(
        files={},
        pieces=table.pieces,
        weights=table.weights,
        step=table.step,
        bias=table.bias,
        cut=cut,
        peaks=[(0, 1e6)],
        most_tokens=48,
        knots=[(-1.0, [-3.0, -2.0, -3.0])],
        certificate=Certificate(texts=0, share=0.0, agreement=0.0, padded=0, padded_lost=0),
    )


def test_training_and_worker_give_a_text_the_same_margin(table: Table) -> None:
    said = said_of(200, 2)
    served = as_served(table)

    assert [served.margin(row) for row in said.ids] == pytest.approx(table.margins(said.ids).tolist(), abs=1e-4)


def test_a_piece_that_was_hardly_seen_is_unknown_and_special_tokens_say_nothing() -> None:
    said = said_of(300, 3)
    rare = [[FIRST_ID, 3, 4, LAST_ID] if PIECES - 1 in row else row for row in said.ids]
    table = fit_table(rare, said.bad, said.grave, PLAN, pieces=PIECES)

    assert table.weights[PIECES - 1] == 0
    assert table.margins([[FIRST_ID, PIECES - 1, LAST_ID]])[0] == np.inf
    assert (table.weights[FIRST_ID], table.weights[LAST_ID]) == (ZERO, ZERO)


def test_what_is_not_clean_is_not_answered_and_most_of_the_rest_is(table: Table) -> None:
    said, held = said_of(800, 4), said_of(800, 5)
    cut = choose_cut(table, said, CUT)
    found = tally("held", as_served(table, cut), held)

    assert found.bad > 100
    assert found.lost <= 2
    assert found.share > 0.3
    assert found.agreement == 1 - found.lost / 800


def test_what_the_peaks_hold_back_alone_is_held_back_between_the_cleanest_words_too(table: Table) -> None:
    tune, held = said_of(800, 4), said_of(400, 5)
    any_length, *_ = choose_peaks(table, tune, CUT)
    served = msgspec.structs.replace(as_served(table, cut=100.0), peaks=[any_length])
    cleanest = [min(range(3, PIECES), key=lambda piece: table.weights[piece])] * 15
    curses = [row for row, bad in zip(held.ids, held.bad, strict=True) if bad and served.certain(row) is None]
    padded = [[FIRST_ID, *cleanest, *row[1:-1], *cleanest, LAST_ID] for row in curses]

    assert len(padded) > 50
    assert all(margin < 0 for margin in table.margins(padded))
    assert [served.certain(row) for row in padded] == [None] * len(padded)
    assert tally("held", served, held).share > 0.3


def test_the_more_may_be_lost_the_more_is_answered(table: Table) -> None:
    said = said_of(800, 6)
    cuts = [choose_cut(table, said, CutPlan(most_lost=share, most_grave_lost=share)) for share in (0.0, 0.02, 0.2)]

    assert cuts == sorted(cuts)
    assert cuts[0] < cuts[2]


def test_a_cascade_answers_with_the_scores_that_the_model_gives_in_the_mean(table: Table, tmp_path: Path) -> None:
    bundle = load_bundle(write_echo_bundle(tmp_path / "echo", **MULTI))
    said = said_of(1_000, 7)
    cascade = certified(bundle, table, plain(said), plain(said_of(500, 8)), CUT)
    found = tally("held", cascade, said_of(500, 9))

    assert [margin for margin, _ in cascade.knots] == sorted(margin for margin, _ in cascade.knots)
    assert 0 < found.moved < 0.05
    assert found.far == 0
    assert 0.3 < cascade.certificate.share < 1
    assert cascade.certificate.texts == 500
    assert "500" in table_of([found])


def test_it_is_put_into_the_bundle_under_a_new_revision_and_found_there(table: Table, tmp_path: Path) -> None:
    bundle = load_bundle(write_echo_bundle(tmp_path / "echo", **MULTI))
    cascade = certified(bundle, table, plain(said_of(1_000, 7)), plain(said_of(500, 8)), CUT)
    newer = put_into(bundle, cascade)

    assert set(cascade.files) == set(CERTIFIED_FILES)
    assert newer.revision != bundle.revision
    assert cascade_of(newer) == cascade


def test_a_long_text_is_never_answered(table: Table) -> None:
    said = said_of(50, 10)
    two_windows = Said(said.texts, said.sources, said.ids, [2] * 50, said.logits, TAXONOMY)

    assert tally("long", as_served(table, cut=100.0), said).answered > 0
    assert tally("long", as_served(table, cut=100.0), two_windows).answered == 0
    with pytest.raises(ModelSourceError, match="knows none"):
        choose_cut(table, two_windows, CUT)


def test_parts_keep_dev_rows_apart_and_never_read_the_field_lines() -> None:
    rows = [Row(f"글 {number}", "kmhas", "train" if number % 4 else "dev") for number in range(2_000)]
    comments = [Row(f"댓글 {number}", "unlabelled_comments", "train") for number in range(2_000)]
    field = [Row("현장 글", "field", "dev")]
    read = read_by_cascade([*rows, *comments, *field, *rows])

    assert len(read) == 4_000
    assert {part_of(row) for row in rows if row.split == "dev"} == {HELD}
    assert {part_of(row) for row in rows} == {FIT, TUNE, HELD}
    held = held_texts([*rows, *comments, *field])
    assert {row.text for row in held} >= {row.text for row in rows if row.split == "dev"}
    assert held_texts([*rows, *comments, *field], most=1_000) == held[:1_000]
