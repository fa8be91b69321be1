"""What one run of the pipeline does: sizes, epochs, mixtures. `FULL` is shipped, `SMOKE` proves that it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from training.data.prepare import Mixture
from training.learn.fit import FitPlan


@dataclass(frozen=True)
class TinyEncoder:
    """A randomly initialised encoder to stand in for a pre-trained one, where only the machinery is tried."""

    layers: int = 2
    width: int = 64
    heads: int = 4


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a run of the pipeline trains."""

    teacher: FitPlan
    teacher_mixture: Mixture
    student: FitPlan
    student_pool: Mixture  # what the teacher labels, once
    student_mixtures: tuple[Mixture, ...]  # what a student reads of it each epoch; one student each, then averaged
    sentiment: FitPlan
    sentiment_mixture: Mixture
    window_tokens: int = 20  # the stretch of a text that each label is read from
    max_length: int = 64  # tokens in a window: the shorter it is, the less a curse drowns in what stands around it
    seed: int = 20
    calibration_draws: Mapping[str, int] = field(default_factory=dict)  # of the texts that int8 is measured on
    tiny: TinyEncoder | None = None
    bundles: tuple[str, ...] = field(default=("default", "sentiment"))


_LABELLED = {
    "beep": 7_900,
    "curse_detection": 8_500,
    "malicious_comments": 3_400,
    "synthetic": 480,
}
_STUDENT = Mixture(
    {
        **_LABELLED,
        "kmhas": 30_000,
        "hatescore": 5_500,
        "kda": 12_000,
        "kosbi": 6_500,
        "headlines": 2_400,
        "square_questions": 4_500,
        "everyday_sentences": 8_000,
        "nsmc": 24_000,
        "unlabelled_comments": 20_000,
        "cursed": 7_000,
        "innocent": 1_500,
        "innocent_sentences": 4_000,
    },
    noise_share=0.25,
    padded_share=0.18,
    family_rounds=2,
)
FULL = Plan(
    teacher=FitPlan(epochs=2, learning_rate=8e-5, threads=1),
    teacher_mixture=Mixture(
        {
            **_LABELLED,
            "kmhas": 24_600,
            "hatescore": 4_500,
            "kda": 10_000,
            "kosbi": 5_500,
            "headlines": 1_900,
            "square_questions": 3_500,
            "everyday_sentences": 6_000,
            "nsmc": 15_000,
            "unlabelled_comments": 0,
            "cursed": 4_500,
            "innocent": 1_000,
            "innocent_sentences": 2_900,
        },
        noise_share=0.25,
        padded_share=0.12,
        family_rounds=2,
    ),
    student=FitPlan(epochs=2, learning_rate=1.2e-4, threads=1),
    student_pool=Mixture({"nsmc": 40_000}),
    student_mixtures=(_STUDENT, replace(_STUDENT, noise_share=0.3, padded_share=0.25)),
    sentiment=FitPlan(epochs=1, learning_rate=1e-4, threads=1),
    sentiment_mixture=Mixture({"nsmc": 100_000}, noise_share=0.05, family_rounds=4),
)
_FEW_NAMES = (
    "beep curse_detection everyday_sentences hatescore headlines kda kmhas kosbi malicious_comments nsmc "
    "square_questions synthetic cursed innocent innocent_sentences"
)
_FEW = Mixture(dict.fromkeys(_FEW_NAMES.split(), 120), noise_share=0.3, padded_share=0.2, family_rows=20)
SMOKE = Plan(
    teacher=FitPlan(epochs=2, learning_rate=1e-3),
    teacher_mixture=replace(_FEW, rows={**_FEW.rows, "unlabelled_comments": 0}),
    student=FitPlan(epochs=1, learning_rate=1e-3),
    student_pool=replace(_FEW, rows={**_FEW.rows, "unlabelled_comments": 100}),
    student_mixtures=(Mixture({}, noise_share=0.3), Mixture({}, noise_share=0.2)),
    sentiment=FitPlan(epochs=1, learning_rate=1e-3),
    sentiment_mixture=replace(_FEW, rows={"nsmc": 200, "headlines": 50, "square_questions": 50}),
    tiny=TinyEncoder(),
)
PLANS = {"full": FULL, "smoke": SMOKE}
