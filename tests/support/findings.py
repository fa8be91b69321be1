"""A made-up record of a run of the pipeline, to write reports and cards from."""

from training.learn.metrics import Confusion
from training.score.evaluate import LabelScore, SetShare
from training.score.findings import BundleFindings, Findings, Verdicts
from training.score.speed import Speed
from training.ship.serving import LENIENT, STANDARD, STRICT, STRICTNESSES, TOXICITY

SPEED = Speed(900.0, 1_000.0, 1_100.0, 22.5, 2, 2_000)
COUNTS = Confusion(80, 10, 20, 90)


def share(name: str, standard: float, *, bad: bool, limit: float | None = None, tuned: bool = True) -> SetShare:
    flagged = {LENIENT: standard / 2, STANDARD: standard, STRICT: min(standard * 2, 1.0)}
    return SetShare(name, bad, limit, tuned, 1_234, flagged)


SETS = [
    share("K/DA neutral", 0.021, bad=False, limit=0.025),
    share("BEEP none", 0.043, bad=False),
    share("innocent look-alikes", 0.012, bad=False, limit=0.015, tuned=False),
    share("family: replies", 0.017, bad=False, tuned=False),
    share("K/DA implicit", 0.763, bad=True, limit=0.75),
    share("HateScore 단순 악플", 0.712, bad=True, limit=0.7),
    share("threats", 0.834, bad=True, limit=0.8, tuned=False),
    share("family: looks", 0.9, bad=True, tuned=False),
]
FILTER_SHARES = {"korcen": 0.111, "nerv-filter": 0.222}


def made_up_findings() -> Findings:
    verdicts = Verdicts(
        sets=SETS,
        float32={item.name: item.flagged[STANDARD] + (0.034 if item.name == "threats" else 0.0) for item in SETS},
        diluted={2: 0.991, 4: 0.972, 8: 0.953},
        questions={"K-MHaS, any label": COUNTS},
        labels=[LabelScore("curse", COUNTS, 0.017)],
        thresholds={label.name: dict(label.thresholds) for label in TOXICITY.labels},
        calibration_error=0.023,
        source_errors={"K/DA neutral": 0.045},
        curves={"K/DA implicit": [(0.0, 0.1), (0.1, 0.7), (1.0, 1.0)]},
        unlabelled=dict(zip(STRICTNESSES, (0.051, 0.152, 0.353), strict=True)),
        missed=["놓친 나쁜 글"],
        wrongly_flagged=["억울한 글"],
    )
    sentiment = {"NSMC, positive or negative": 0.881, "headlines and questions, neutral": 0.912}
    filters = {
        name: [SetShare(item.name, item.bad, item.limit, item.tuned, item.texts, {name: flagged}) for item in SETS]
        for name, flagged in FILTER_SHARES.items()
    }
    return Findings(
        bundles=[
            BundleFindings("default", 4, 384, 10_400_000, "abcdef012345", 0.001, SPEED, verdicts),
            BundleFindings("sentiment", 4, 384, 10_300_000, "012345abcdef", 0.001, SPEED, sentiment=sentiment),
        ],
        filters=filters,
        filter_questions={name: {"K-MHaS, any label": Confusion(50, 30, 50, 70)} for name in filters},
        hashes={"kmhas.jsonl": "aa" * 32, "kda.jsonl": "bb" * 32},
        rows_by_source={"kmhas": 24_600, "kda": 6_245, "clean/facts": 568},
        dev_rows_by_source={"kmhas": 2_000, "field": 373},
    )
