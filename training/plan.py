"""What one run of the pipeline does: rounds, epochs, mixtures. `FULL` is shipped, `SMOKE` proves that it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bundles.windows import Windows
from training.data.prepare import Mixture
from training.learn.cascade import TablePlan
from training.learn.fit import FitPlan
from training.learn.wide import OwnColumn, WidePlan
from training.ship.cascade_plan import CascadePlan, CutPlan


@dataclass(frozen=True)
class TinyEncoder:
    """A randomly initialised encoder to stand in for a real one, where only the machinery is tried."""

    layers: int = 2
    width: int = 64
    heads: int = 4


@dataclass(frozen=True)
class Round:
    """One round of the student: how and on what it is trained, and its weight in the mean that ships.

    `has_teachers`: whether the rounds before it say what they think of each text; `has_ngrams`: whether the n-grams of
    the sources do so too; `has_panel`: whether the plan's panel is the teacher instead; `from_mean`: it goes on from
    the mean of the rounds before it, which count as one teacher; `dropout`: the share of features left out while it
    trains.
    """

    fit: FitPlan
    mixture: Mixture
    weight: float
    has_teachers: bool = False
    has_ngrams: bool = False
    has_panel: bool = False
    from_mean: bool = False
    dropout: float = 0.0


@dataclass(frozen=True)
class PanelPlan:
    """How the panel is taught (`training/panel.py`).

    `folds`: parts of the labelled rows, of which a teacher is never shown one; `seeds`: teachers for each part;
    `copies`: texts written anew from each comment; `dropout`: the share of features left out while a teacher learns.
    """

    reading: FitPlan
    teacher: FitPlan
    mixture: Mixture
    folds: int = 4
    seeds: int = 2
    copies: int = 2
    dropout: float = 0.1


# The shorter a window, the less a curse drowns in what stands around it; the more they share, the fewer cut it in two.
# Between short compliments it drowns even in those, so each sentence is read besides.
_SERVED = Windows(48, overlap=0.5, sentence_discount=1.0)


@dataclass(frozen=True)
class Plan:
    """Everything that decides what a run of the pipeline trains."""

    rounds: tuple[Round, ...]
    sentiment: FitPlan
    sentiment_mixture: Mixture
    window_tokens: int = 20  # the stretch of a text that each label is read from
    max_length: int = 64  # tokens in a window that is learnt from
    served: Windows = _SERVED
    seed: int = 20
    calibration_draws: Mapping[str, int] = field(default_factory=dict)  # of the texts that int8 is measured on
    wide: WidePlan | None = None  # beside the student's encoder
    panel: PanelPlan | None = None
    cascade: CascadePlan | None = field(default_factory=CascadePlan)  # beside the bundle of verdicts
    evidence_texts: int = 6_000  # that the second output, which spans are read from, is fitted on at most
    made_up_one_in: int = 1  # of so many texts that come from no labelled file, one is learnt from
    tiny: TinyEncoder | None = None
    bundles: tuple[str, ...] = field(default=("default", "sentiment"))


_SOURCES = Mixture(
    {
        "beep": 7_900,
        "curse_detection": 8_500,
        "kmhas": 30_000,
        "hatescore": 5_500,
        "malicious_comments": 3_400,
        "kda": 12_000,
        "kosbi": 6_500,
        "headlines": 2_400,
        "square_questions": 4_500,
        "everyday_sentences": 8_000,
        "nsmc": 24_000,
        "unlabelled_comments": 0,
        "synthetic": 480,
        "cursed": 7_000,
        "innocent": 1_500,
        "innocent_sentences": 4_000,
    },
    noise_share=0.25,
    padded_share=0.18,
    family_rounds=0,
)
_WITH_FAMILIES = replace(
    _SOURCES,
    rows={**_SOURCES.rows, "hatescore": 3_500, "hatescore:bad": 2_400},
    padded_share=0.3,
    family_rounds=3,
)
_LAST = replace(
    _SOURCES,
    rows={
        **_SOURCES.rows,
        "kmhas": 24_600,
        "hatescore": 2_500,
        "hatescore:bad": 1_800,
        "kda": 9_000,
        "kosbi": 5_500,
        "headlines": 1_900,
        "square_questions": 3_500,
        "everyday_sentences": 6_000,
        "nsmc": 18_000,
        "unlabelled_comments": 9_000,
        "cursed": 4_500,
        "innocent": 1_200,
        "innocent_sentences": 3_000,
        "clean/news_comments": 2_000,
        "clean/pairs_threat": 1_200,
        "clean/pairs_contempt": 1_200,
        "clean/long_clean": 700,
    },
    padded_share=0.2,
    family_rounds=2,
)
_BETTER = replace(
    _LAST,
    rows={
        **_LAST.rows,
        "beep": 5_000,
        "headlines": 1_500,
        "everyday_sentences": 4_500,
        "innocent": 1_000,
        "curse_detection": 8_500,
        "hatescore": 2_500,
        "hatescore:bad": 1_900,
        "kda": 8_000,
        "kosbi": 4_000,
        "square_questions": 2_500,
        "nsmc": 10_000,
        "unlabelled_comments": 20_000,
        "cursed": 3_500,
        "clean/news_comments": 1_000,
        "clean/pairs_threat": 600,
        "clean/pairs_contempt": 600,
        "bad/composed_threats": 2_900,
        "bad/composed_threats_veiled": 1_500,
        "bad/composed_contempt": 1_900,
        "bad/composed_curses": 1_600,
        "bad/composed_hate": 550,
        "clean/composed_not_threats": 2_000,
        "clean/composed_threats_veiled_like": 1_000,
        "clean/composed_words_about_words": 900,
        "clean/composed_homographs_more": 900,
        "clean/composed_rough_but_fine": 1_100,
    },
    padded_share=0.12,
    padded_bad_share=0.35,
    family_rounds=1,
)
_FURTHER = replace(
    _BETTER,
    rows={
        **_BETTER.rows,
        "kmhas": 20_000,
        "curse_detection": 6_500,
        "nsmc": 10_000,
        "everyday_sentences": 6_000,
        "kda": 8_500,
        "unlabelled_comments": 28_000,
        "innocent": 700,
        "clean/hard": 2_400,
        "bad/threats_more": 2_000,
        "bad/contempt_more": 1_600,
        "bad/curses_more": 1_400,
        "bad/hate_more": 1_000,
        "clean/not_threats_more": 1_800,
        "clean/criticism_more": 1_400,
        "bad/threats_further": 1_000,
        "clean/not_threats_further": 1_200,
        "bad/contempt_further": 750,
        "clean/criticism_further": 700,
        "bad/hate_further": 350,
        "clean/groups_further": 350,
        "bad/curses_in_posts": 420,
        "clean/curse_lookalikes": 420,
        "bad/composed_threats": 1_900,
        "bad/composed_threats_veiled": 1_000,
        "bad/composed_contempt": 1_500,
        "bad/composed_curses": 1_300,
        "clean/composed_not_threats": 1_300,
        "clean/composed_threats_veiled_like": 700,
        "clean/composed_words_about_words": 900,
        "clean/composed_rough_but_fine": 900,
    },
    padded_share=0.16,
    padded_bad_share=0.4,
    later_share=0.6,
)
_PANEL = replace(
    _FURTHER,
    rows={
        **_FURTHER.rows,
        "beep": 6_000,
        "kmhas": 24_610,
        "curse_detection": 8_500,
        "hatescore": 4_500,
        "hatescore:bad": 2_600,
        "malicious_comments": 3_445,
        "kda": 10_000,
        "nsmc": 30_000,
        "everyday_sentences": 9_000,
        "unlabelled_comments": 28_336,
        "written": 60_000,
        "bad/threats": 1_400,
        "bad/threats_more": 2_600,
        "bad/threats_further": 1_700,
        "clean/not_threats_further": 1_700,
        "clean/threat_like": 900,
    },
    padded_share=0.15,
    padded_bad_share=0.3,
    later_share=1.0,
)
FULL = Plan(
    rounds=(
        Round(FitPlan(epochs=1, learning_rate=1.2e-4, threads=1), _SOURCES, weight=0.15),
        Round(FitPlan(epochs=2, learning_rate=1e-4, threads=1), _WITH_FAMILIES, weight=0.0),
        Round(
            FitPlan(epochs=1, learning_rate=7e-5, head_learning_rate=3e-4, warmup_share=0.04, seed=31, threads=1),
            _LAST,
            weight=0.85,
            has_teachers=True,
        ),
        Round(
            FitPlan(epochs=2, learning_rate=6e-5, head_learning_rate=2e-4, warmup_share=0.04, seed=41, threads=1),
            _BETTER,
            weight=1.5,
            has_teachers=True,
            has_ngrams=True,
            from_mean=True,
        ),
        Round(
            FitPlan(epochs=2, learning_rate=8e-5, head_learning_rate=3e-4, warmup_share=0.05, seed=51, threads=1),
            _FURTHER,
            weight=2.5,
            has_teachers=True,
            has_ngrams=True,
            from_mean=True,
            dropout=0.1,
        ),
        Round(  # on a GPU: half a minute on an H100, days on two cores
            FitPlan(epochs=8, learning_rate=2.5e-4, tokens_per_batch=16_384, seed=62),
            _PANEL,
            weight=2.14,  # three tenths of the mean
            has_panel=True,
            from_mean=True,
        ),
    ),
    panel=PanelPlan(
        reading=FitPlan(epochs=7, learning_rate=4e-4, tokens_per_batch=32_768, seed=60),
        teacher=FitPlan(epochs=1, learning_rate=1.5e-4, tokens_per_batch=8_192, seed=61),
        mixture=_PANEL,
    ),
    wide=WidePlan(
        share=0.16,
        penalty=0.3,
        weights={"everyday_sentences": 0.5, "beep": 0.5, "nsmc": 0.5, "square_questions": 0.3},
        most={"nsmc": 15_000},
        own=OwnColumn("threat", turn=2.4),
    ),
    calibration_draws={"student": 2},  # of six, the int8 graph that scores 1,000 training texts most like float32
    sentiment=FitPlan(epochs=2, learning_rate=1e-4, threads=1),
    sentiment_mixture=Mixture({"nsmc": 90_000}, noise_share=0.05, family_rounds=5),
)
_FEW_NAMES = (
    "beep curse_detection everyday_sentences hatescore headlines kda kmhas kosbi malicious_comments nsmc "
    "square_questions unlabelled_comments synthetic cursed innocent innocent_sentences"
)
_FEW = Mixture(dict.fromkeys(_FEW_NAMES.split(), 100), noise_share=0.3, padded_share=0.2, family_rows=20)
_QUICK = FitPlan(epochs=1, learning_rate=1e-3)
SMOKE = Plan(
    rounds=(
        Round(replace(_QUICK, epochs=2), replace(_FEW, rows={**_FEW.rows, "unlabelled_comments": 0}), weight=0.2),
        Round(_QUICK, _FEW, weight=0.8, has_teachers=True),
        Round(_QUICK, _FEW, weight=1.0, has_teachers=True, has_ngrams=True, from_mean=True),
        Round(_QUICK, replace(_FEW, rows={**_FEW.rows, "written": 100}), weight=1.0, has_panel=True, from_mean=True),
    ),
    panel=PanelPlan(_QUICK, _QUICK, _FEW, folds=2, seeds=1, copies=1),
    sentiment=replace(_QUICK, epochs=6),
    sentiment_mixture=replace(_FEW, rows={"nsmc": 200, "headlines": 50, "square_questions": 50}),
    wide=WidePlan(buckets=1 << 14, own=OwnColumn("threat")),
    cascade=CascadePlan(TablePlan(pairs=1 << 12), CutPlan(most_lost=0.2, most_grave_lost=0.2), 600, 300, 300, 60),
    evidence_texts=60,
    made_up_one_in=8,
    tiny=TinyEncoder(),
)
PLANS = {"full": FULL, "smoke": SMOKE}
