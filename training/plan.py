"""What one run of the pipeline does: sizes, epochs, mixtures. `FULL` is shipped, `SMOKE` proves that it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from training.data.prepare import Mixture
from training.learn.fit import FitPlan

EMPTY: Mapping[str, int] = {}


@dataclass(frozen=True)
class TinyEncoder:
    """A randomly initialised encoder to stand in for a pre-trained one, where only the machinery is tried."""

    layers: int = 2
    width: int = 64
    heads: int = 4


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a run of the pipeline trains."""

    encoder: FitPlan
    encoder_mixture: Mixture  # of texts alone
    teacher: FitPlan
    teacher_mixture: Mixture
    student: FitPlan
    student_pool: Mixture  # what the teacher labels, once
    student_mixtures: tuple[Mixture, ...]  # what a student reads of it each epoch; one student each, then averaged
    student_layers: int
    refitted: Mapping[str, float]  # signals that the head is fitted to again, with the weight of a harmless text there
    sentiment: FitPlan
    sentiment_mixture: Mixture
    max_length: int = 128
    seed: int = 20
    calibration_draws: Mapping[str, int] = field(default_factory=dict)  # of the texts that int8 is measured on
    tiny: TinyEncoder | None = None
    bundles: tuple[str, ...] = field(default=("default", "sentiment"))


_NO_COMMENTS = {"unlabelled_comments": 0}
_STUDENT = Mixture(
    {
        "beep": 14_000,
        "curse_detection": 9_000,
        "nsmc": 8_000,
        "unlabelled_comments": 36_000,
        "cursed": 6_000,
        "innocent": 1_500,
        "innocent_sentences": 4_500,
    },
    noise_share=0.3,
)
FULL = Plan(
    encoder=FitPlan(epochs=1, learning_rate=2e-4),
    encoder_mixture=Mixture(
        {"nsmc": 70_000, "cursed": 0, "innocent": 0, "synthetic": 0, "innocent_sentences": 0}, noise_share=0.05
    ),
    teacher=FitPlan(epochs=2, learning_rate=8e-5),
    teacher_mixture=Mixture(
        {
            "beep": 14_000,
            "curse_detection": 11_000,
            "nsmc": 4_000,
            "everyday_sentences": 8_000,
            "hatescore": 4_000,
            "synthetic": 400,
            "cursed": 4_000,
            "innocent": 1_000,
            "innocent_sentences": 3_000,
            **_NO_COMMENTS,
        }
    ),
    student=FitPlan(epochs=3, learning_rate=2e-4),
    student_pool=Mixture({"nsmc": 14_000, "hatescore": 6_000, "everyday_sentences": 14_000}),
    student_mixtures=(
        replace(_STUDENT, rows={**_STUDENT.rows, "cursed": 0}),
        _STUDENT,
        replace(
            _STUDENT,
            rows={
                **_STUDENT.rows,
                "beep": 16_000,
                "curse_detection": 12_000,
                "cursed": 3_000,
                "innocent_sentences": 6_000,
            },
        ),
    ),
    student_layers=4,
    refitted={"beep/offensive": 45.0},
    sentiment=FitPlan(epochs=2, learning_rate=1e-4),
    sentiment_mixture=Mixture({}, noise_share=0.05),
    calibration_draws={"sentiment": 2},
)
_FEW = dict.fromkeys(
    (
        "beep",
        "curse_detection",
        "everyday_sentences",
        "hatescore",
        "kmhas",
        "malicious_comments",
        "nsmc",
        "synthetic",
        "cursed",
        "innocent",
        "innocent_sentences",
    ),
    160,
)
SMOKE = Plan(
    encoder=FitPlan(epochs=1, learning_rate=1e-3),
    encoder_mixture=Mixture(_FEW),
    teacher=FitPlan(epochs=2, learning_rate=1e-3),
    teacher_mixture=Mixture(_FEW | _NO_COMMENTS),
    student=FitPlan(epochs=2, learning_rate=1e-3),
    student_pool=Mixture(_FEW | {"unlabelled_comments": 100}),
    student_mixtures=(Mixture({}, noise_share=0.3), Mixture({}, noise_share=0.2)),
    student_layers=1,
    refitted={"beep/offensive": 10.0},
    sentiment=FitPlan(epochs=1, learning_rate=1e-3),
    sentiment_mixture=Mixture({"nsmc": 200}),
    tiny=TinyEncoder(),
)
PLANS = {"full": FULL, "smoke": SMOKE}
