"""Thresholds with an aim, scores that turn at one half, and one decision in training and in the worker."""

from itertools import pairwise

import pytest

pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bundles.calibration import make_curve
from bundles.format import BundleConfig
from bundles.windows import Windows
from shared.options import LEVELS, Level, VerdictOptions
from training.data.made_up import made_up_rows
from training.data.sets import TextSet, dev_sets
from training.data.signals import SERVED
from training.data.sources import Row
from training.learn.metrics import sigmoid
from training.learn.network import FOLD
from training.score.evaluate import flags, share_of
from training.ship.bundle import config_of
from training.ship.calibrate import (
    _GRID,
    Judged,
    _choose,
    _goals_met,
    _read_by_the_strictest,
    calibrate,
    fit_knots,
    flagged_shares,
    known_truth,
)
from training.ship.serving import (
    LENIENT,
    STANDARD,
    STRICT,
    STRICTNESSES,
    TOXICITY,
    ServedLabel,
    Taxonomy,
    calibrated_logits,
    scores_of,
    taxonomy_of,
)
from worker.inference.verdict import Judge

seeds = st.integers(0, 10_000)


THREAT = SERVED.index("threat")


def judged(name: str, *, bad: bool, mean: float, limit: float | None, rows: int = 1_000) -> Judged:
    """A made-up set whose logits lie around `mean`, each label's own way."""
    generator = np.random.default_rng([rows, len(name), int(bad)])
    logits = generator.normal(mean, 1.5, (rows, len(SERVED))).astype(np.float32)
    logits[:, THREAT] = -8.0  # none threatens
    texts = [Row(f"{name} {number}", name, "dev") for number in range(rows)]
    return Judged(TextSet(name, texts, bad, limit, tuned=True), logits)


def folded_judged(name: str, low: float, high: float, *, bad: bool, limit: float | None = None) -> Judged:
    """A set without a sign of any label, whose logits of `insult` lie evenly between `low` and `high`."""
    logits = np.full((400, len(SERVED)), -9.0, dtype=np.float32)
    logits[:, SERVED.index("insult")] = np.linspace(low, high, 400)
    texts = [Row(f"{name} {number}", name, "dev") for number in range(400)]
    return Judged(TextSet(name, texts, bad, limit, tuned=limit is not None), logits)


def read_by_the_strictest(everyday_high: float) -> float:
    """The threshold of `insult` at `strict` where -0.5 was chosen before, BEEP's sets part at -5."""
    beep = [
        folded_judged("BEEP none", -8.0, -4.8, bad=False),
        folded_judged("BEEP hate", -5.2, -2.0, bad=True),
        folded_judged("BEEP offensive", -5.2, -2.0, bad=True),
    ]
    everyday = folded_judged("everyday sentences", -9.0, everyday_high, bad=False, limit=0.005)
    before = np.full(len(TOXICITY.accusing), -0.5, dtype=np.float32)
    after = _read_by_the_strictest(TOXICITY, before, [everyday], beep)
    at = TOXICITY.names.index("insult")
    assert np.delete(after, at).tolist() == np.delete(before, at).tolist()
    return float(after[at])


def test_strict_takes_the_highest_threshold_below_the_fold_that_reaches_beeps_goal() -> None:
    assert -5.0 < read_by_the_strictest(everyday_high=-5.5) < FOLD


def test_strict_stays_as_it_is_where_calm_text_would_be_flagged_for_it() -> None:
    assert read_by_the_strictest(everyday_high=-2.0) == -0.5


def made_up_judged(seed: int = 7) -> list[Judged]:
    """The dev sets of made-up rows, with logits that mostly know better; three of a hundred harmless texts look bad."""
    generator = np.random.default_rng(seed)
    found = []
    for item in dev_sets(row for row in made_up_rows(seed) if row.split == "dev"):
        logits = generator.normal(-3, 0.7, (len(item.rows), len(SERVED)))
        for place, row in enumerate(item.rows):
            for at, name in enumerate(SERVED):
                if row.targets.get(name) == 1 or (item.bad and name == "insult"):
                    logits[place, at] = generator.normal(2, 1.5)
        logits[generator.random(len(logits)) < 0.03] += 3.0
        logits[:, THREAT] = -8.0
        found.append(Judged(item, logits.astype(np.float32)))
    return found


@pytest.fixture(scope="module")
def chosen() -> tuple[Taxonomy, list[Judged]]:
    sets = made_up_judged()
    return calibrate(TOXICITY, sets), sets


def flagged_share(found: Judged, thresholds: np.ndarray) -> float:
    return float((found.logits[:, TOXICITY.accusing] >= thresholds).any(axis=1).mean())


def test_shares_over_the_grid_are_those_that_the_thresholds_give() -> None:
    generator = np.random.default_rng(6)
    logits = generator.normal(1, 2, (300, 3)).astype(np.float32)
    shares = flagged_shares(logits, [None, 0.5, None])
    assert shares.shape == (len(_GRID), len(_GRID))
    for first, last in generator.integers(0, len(_GRID), (20, 2)):
        thresholds = np.array([_GRID[first], 0.5, _GRID[last]], dtype=np.float32)
        assert shares[first, last] == pytest.approx((logits >= thresholds).any(axis=1).mean(), abs=1e-6)


def test_a_label_that_no_dev_set_is_about_counts_from_where_it_was_trained_to() -> None:
    sets = [judged("calm", bad=False, mean=-3, limit=0.02), judged("bad", bad=True, mean=1, limit=0.8)]
    at = [TOXICITY.names[index] for index in TOXICITY.accusing].index("threat")
    chosen = [_choose(TOXICITY, level, sets, {"calm": 0.02}, [])[at] for level in (LENIENT, STANDARD, STRICT)]
    assert chosen == pytest.approx([1.1, 0.0, -1.1])


def test_the_choice_keeps_to_each_harmless_limit_and_finds_what_can_be_found_under_it() -> None:
    harmless = [judged("calm", bad=False, mean=-3, limit=0.02), judged("heated", bad=False, mean=-2, limit=0.10)]
    bad = judged("bad", bad=True, mean=1, limit=0.8)
    limits = {found.texts.name: found.texts.limit or 0.0 for found in harmless}

    thresholds = _choose(TOXICITY, STANDARD, [*harmless, bad], limits, [])

    assert thresholds.shape == (len(TOXICITY.accusing),)
    for found in harmless:
        assert flagged_share(found, thresholds) <= limits[found.texts.name], found.texts.name
    assert flagged_share(bad, thresholds) > 0.8


@pytest.mark.parametrize("limit", [0.005, 0.05, 0.3])
def test_where_both_cannot_be_had_the_harmless_side_goes_first(limit: float) -> None:
    harmless = judged("harmless", bad=False, mean=-2.3, limit=limit)
    bad = judged("bad", bad=True, mean=-2, limit=0.9)

    thresholds = _choose(TOXICITY, STANDARD, [harmless, bad], {"harmless": limit}, [])

    assert flagged_share(harmless, thresholds) <= limit
    assert flagged_share(bad, thresholds) < 0.9


def test_each_level_flags_what_the_milder_one_flags_and_more(chosen: tuple[Taxonomy, list[Judged]]) -> None:
    taxonomy, sets = chosen
    for found in sets:
        lenient, standard, strict = (flags(found.logits, taxonomy, level) for level in STRICTNESSES)
        assert not (lenient & ~standard).any()
        assert not (standard & ~strict).any()
    for label in taxonomy.labels:
        assert label.thresholds[LENIENT] >= label.thresholds[STANDARD] >= label.thresholds[STRICT]


def test_the_score_of_every_label_turns_at_one_half_at_standard(chosen: tuple[Taxonomy, list[Judged]]) -> None:
    taxonomy, _ = chosen
    assert [label.thresholds[STANDARD] for label in taxonomy.labels] == [0.5] * len(SERVED)
    assert all(len(label.knots) >= 2 for label in taxonomy.labels)


def test_the_chosen_thresholds_keep_the_tuned_sets_within_their_limits(chosen: tuple[Taxonomy, list[Judged]]) -> None:
    taxonomy, sets = chosen
    shares = [share_of(found, taxonomy) for found in sets]
    over = [
        share
        for share in shares
        if not share.bad and share.limit is not None and share.flagged[STANDARD] > share.limit + 1e-9
    ]
    found = [share.flagged[STANDARD] for share in shares if share.bad]
    assert over == []
    assert np.mean(found) > 0.6


@st.composite
def labelled(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Logits, truths and weights of some rows, and where the decision turns."""
    generator = np.random.default_rng(draw(seeds))
    rows = draw(st.integers(2, 300))
    logits = generator.normal(draw(st.floats(-3, 3)), draw(st.floats(0.1, 5)), rows).astype(np.float32)
    truth = generator.random(rows) < sigmoid(logits * draw(st.floats(-1, 3)) + draw(st.floats(-4, 4)))
    weights = generator.uniform(0.01, 1, rows).astype(np.float32)
    return logits, truth, weights, draw(st.integers(-40, 40)) / 10


@given(labelled())
def test_knots_rise_are_nought_at_the_turn_and_are_what_a_bundle_accepts(
    case: tuple[np.ndarray, np.ndarray, np.ndarray, float],
) -> None:
    knots, turn = fit_knots(*case), case[3]
    raw, served = zip(*knots, strict=True)

    assert all(left < right for left, right in pairwise(raw))
    assert all(left < right for left, right in pairwise(served))
    assert dict(knots)[round(turn, 3)] == 0.0
    dense = calibrated_logits(np.linspace(turn - 20, turn + 20, 400, dtype=np.float32), knots)
    assert (np.diff(dense) > 0).all()
    assert np.isfinite(dense).all()


def test_knots_say_how_often_a_score_comes_true() -> None:
    generator = np.random.default_rng(2)
    logits = generator.normal(0, 3, 20_000).astype(np.float32)
    truth = generator.random(len(logits)) < sigmoid(0.5 * logits)  # twice as sure as it should be

    knots = fit_knots(logits, truth, np.ones(len(logits), np.float32), 0.0)
    scores = sigmoid(calibrated_logits(logits, knots))

    for low, high in ((0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9)):
        here = (scores >= low) & (scores < high)
        assert scores[here].mean() == pytest.approx(truth[here].mean(), abs=0.05)


@given(labelled(), st.lists(st.floats(-40, 40, width=32), min_size=1, max_size=20))
def test_training_and_the_worker_read_the_same_score_from_a_logit(
    case: tuple[np.ndarray, np.ndarray, np.ndarray, float], logits: list[float]
) -> None:
    knots = fit_knots(*case)
    curve = make_curve(list(knots))
    logits += [raw for raw, _ in knots]

    ours = calibrated_logits(np.array(logits, dtype=np.float32), knots)

    assert ours.tolist() == pytest.approx([curve(float(np.float32(x))) for x in logits], rel=1e-5, abs=1e-4)


def test_without_knots_a_score_is_the_sigmoid_of_its_logit() -> None:
    logits = np.array([[-1.0, 2.0]], dtype=np.float32)
    plain = Taxonomy((ServedLabel("a", "curse"), ServedLabel("b", "insult")), "clean")
    np.testing.assert_allclose(scores_of(logits, plain), sigmoid(logits))


rows_of_logits = st.lists(st.floats(-15, 15, width=32), min_size=len(SERVED), max_size=len(SERVED))


@pytest.mark.parametrize("level", LEVELS)
@given(row=rows_of_logits)
@example(row=[-15.0] * len(SERVED))
@example(row=[15.0] * len(SERVED))
@example(row=[-15.0] * 4 + [15.0] * 6)  # a kind alone accuses nobody
def test_training_flags_what_the_worker_calls_anything_but_clean(
    chosen: tuple[Taxonomy, list[Judged]], level: Level, row: list[float]
) -> None:
    taxonomy, _ = chosen
    logits = np.array([row], dtype=np.float32)
    margins = [
        abs(score - label.thresholds[level])
        for score, label in zip(scores_of(logits, taxonomy)[0], taxonomy.labels, strict=True)
    ]
    assume(min(margins) > 1e-5)  # one works in 32 bits, the other in 64
    judge = Judge(config_of(taxonomy, "kobert-default", Windows(64), 1), {})

    verdict = judge.judge([logits[0]], VerdictOptions(level))

    assert flags(logits, taxonomy, level)[0] == (verdict.classification != "clean")


def test_hundreds_of_random_texts_are_decided_alike_at_all_levels(chosen: tuple[Taxonomy, list[Judged]]) -> None:
    taxonomy, _ = chosen
    logits = np.random.default_rng(3).normal(-2, 2.5, (600, len(SERVED))).astype(np.float32)
    judge = Judge(config_of(taxonomy, "kobert-default", Windows(64), 1), {})
    for level in LEVELS:
        worker = [judge.judge([row], VerdictOptions(level)).classification != "clean" for row in logits]
        assert flags(logits, taxonomy, level).tolist() == worker
        assert 20 < sum(worker) < 580


def test_a_bundles_config_gives_its_taxonomy_back(chosen: tuple[Taxonomy, list[Judged]]) -> None:
    taxonomy, sets = chosen
    config: BundleConfig = config_of(taxonomy, "kobert-default", Windows(64), 1)
    again = taxonomy_of(config)

    assert again.names == taxonomy.names == list(SERVED)
    assert again.accusing == taxonomy.accusing == [0, 1, 2, 3]
    for found in sets:
        np.testing.assert_array_equal(scores_of(found.logits, again), scores_of(found.logits, taxonomy))
        for level in STRICTNESSES:
            np.testing.assert_array_equal(flags(found.logits, again, level), flags(found.logits, taxonomy, level))


def test_a_labels_truth_comes_from_the_weighted_sets_whose_source_knows_it() -> None:
    def one(name: str, targets: dict[str, float], weight: float) -> Judged:
        rows = [Row(f"{name} {n}", name, "dev", targets) for n in range(4)]
        return Judged(TextSet(name, rows, bad=True, weight=weight), np.full((4, len(SERVED)), weight, np.float32))

    sets = [one("a", {"curse": 1.0}, 0.5), one("b", {"insult": 1.0}, 0.25), one("c", {"curse": 0.0}, 0.0)]
    logits, truth, weights = known_truth("curse", 0, sets)

    assert logits.tolist() == [0.5] * 4
    assert truth.all()
    assert weights.sum() == pytest.approx(0.5)


def test_of_points_as_good_but_for_luck_the_one_that_meets_more_goals_and_flags_less_is_preferred() -> None:
    sets = [
        Judged(TextSet("bad", [], bad=True, limit=0.8), np.zeros((0, 4), np.float32)),
        Judged(TextSet("harmless", [], bad=False, limit=0.1), np.zeros((0, 4), np.float32)),
    ]
    shares = {
        "bad": np.array([0.79, 0.80, 0.80, 0.90], np.float32),
        "harmless": np.array([0.01, 0.05, 0.04, 0.11], np.float32),
    }
    assert np.argsort(-_goals_met(sets, shares, {"harmless": 0.1})).tolist() == [2, 1, 0, 3]
