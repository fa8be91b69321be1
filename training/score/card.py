"""The model card of a bundle, its README.md: what it answers, what it was made from, its scores and its limits."""

from collections.abc import Mapping

from bundles.format import CARD_FILE, Bundle, write_manifest
from training.learn.metrics import Confusion
from training.score.evaluate import QUESTIONS
from training.score.findings import BundleFindings, Findings
from training.ship.serving import Taxonomy

LICENCES = {
    "beep": ("kocohub/korean-hate-speech (BEEP!)", "CC BY-SA 4.0"),
    "curse_detection": ("2runo/Curse-detection-data", "MIT"),
    "everyday_sentences": ("songys/Chatbot_data", "MIT"),
    "hatescore": ("sgunderscore/hatescore-korean-hate-speech", "Apache-2.0"),
    "kmhas": ("adlnlp/K-MHaS", "CC BY-SA 4.0"),
    "malicious_comments": ("ZIZUN/korean-malicious-comments-dataset", "MIT"),
    "nsmc": ("e9t/nsmc", "CC0"),
    "unlabelled_comments": ("kocohub/korean-hate-speech, unlabelled comments", "CC BY-SA 4.0"),
}
_MEANINGS = {
    "clean": ("없음", "아무 라벨도 문턱값을 넘지 않음", "이 영화 정말 재미있었어요!"),
    "curse": ("욕설", "비속어, 그 줄임말과 변형", "씨발 진짜 개같은 새끼야"),
    "insult": (
        "모욕·공격",
        "욕설이 없어도 사람이나 작품을 깎아내리고 비아냥대는 말",
        "연기도 못하는 게 꼴에 배우라고 설치네",
    ),
    "hate": ("혐오", "집단을 싸잡아 멸시하는 말; 아래 종류를 함께 답함", "틀딱들은 투표권을 뺏어야 한다"),
    "hate/gender": ("성별", "여성, 남성, 성소수자", "김치녀들은 군대도 안 가면서 권리만 찾네"),
    "hate/age": ("나이", "노인, 청소년", "급식충들은 좀 빠져라"),
    "hate/origin": ("출신", "지역, 국적, 인종", "짱깨들 다 내쫓아라"),
    "hate/politics": ("정치 성향", "지지자 집단", "대깨문들은 답이 없다"),
    "hate/religion": ("종교", "신자 집단", "개독들은 다 똑같다"),
    "hate/appearance": ("외모", "몸과 생김새", "돼지들은 밖에 나오지 마라"),
    "positive": ("긍정", "호의적인 평", "최고의 영화, 또 보고 싶다"),
    "negative": ("부정", "비판적인 평", "시간이 아까운 영화"),
}

_NO_FILES = """## Trained on

Made-up sentences (`training/data/made_up.py`): this bundle only proves that the pipeline runs."""
_LICENCE = """

The rows are what there was to draw from; `docs/research/model-notes.md` says how much of it the shipped networks saw.
A text that several files share counts for the first of them. No dev row that the bundle is scored on is among the
training rows, white space aside: the pipeline stops if one is. Sentences made up around curses and innocent look-alikes
(`training/data/lexicon.py`) join them.

**Licence of the weights: CC BY-SA 4.0.** K-MHaS and BEEP are share-alike, and weights learnt from them are treated as
adapted from them; name the sources above when you pass the bundle on. The code is Apache-2.0."""
_CHOSEN_ON_DEV = """## Scores on the dev splits

By the decisions that the bundle makes at the thresholds it ships with. The thresholds and the calibration were chosen
on these same dev rows, so expect a little less elsewhere.

"""
_SENTIMENT_USE = """## Use

Tells favourable from unfavourable reviews in Korean. It was trained on film reviews; there is no neutral label, and a
text that is neither gets a score near one half."""


def write_card(bundle: Bundle, taxonomy: Taxonomy, findings: Findings) -> None:
    """Write the card into the bundle and the manifest anew."""
    own = next(found for found in findings.bundles if found.name in bundle.config.name)
    sections = [_head(bundle, own), _labels(taxonomy), _scores(own, findings), _limits(taxonomy), _sources(findings)]
    (bundle.path / CARD_FILE).write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    write_manifest(bundle.path)


def _head(bundle: Bundle, own: BundleFindings) -> str:
    return f"""# {bundle.config.name}

A {own.layers}-layer BERT (hidden {own.width}), int8, {own.bytes_total / 1e6:.1f} MB, for Korean comments. It was
distilled from a 12-layer teacher, with the word of linear n-gram models beside it. Both networks start from
`intfloat/multilingual-e5-small` (MIT), its vocabulary cut to 8,102 Korean pieces. The pipeline that made it is
`training/` (`make model`); `docs/model.md` is its full report, and `docs/model-bundles.md` describes the format."""


def _labels(taxonomy: Taxonomy) -> str:
    names = [*([taxonomy.clean_label] if taxonomy.clean_label else []), *taxonomy.names]
    thresholds = {label.name: f"{label.threshold:.2f}" for label in taxonomy.labels if taxonomy.clean_label}
    rows = [f"| `{name}` | {' | '.join(_MEANINGS[name])} | {thresholds.get(name, '')} |" for name in names]
    return "## Labels\n\n| label | 뜻 | 무엇 | 예 | threshold |\n|---|---|---|---|---|\n" + "\n".join(rows)


def _scores(own: BundleFindings, findings: Findings) -> str:
    columns = {"this bundle": own.int8, "float32": own.float32, "teacher, int8": own.teacher}
    columns |= {name: scores for name, scores in findings.baselines.items() if own.robustness is not None}
    return _CHOSEN_ON_DEV + score_table(columns)


def score_table(columns: Mapping[str, Mapping[str, Confusion]]) -> str:
    """A table of the questions' figures, one column a system."""
    lines = ["| question | metric | goal | " + " | ".join(columns) + " |", "|---|---|---|" + "---|" * len(columns)]
    for question in QUESTIONS:
        counts = [scores.get(question.name) for scores in columns.values()]
        if any(count is not None for count in counts[:1]):
            cells = [f"{getattr(count, question.metric):.3f}" if count else "" for count in counts]
            asked = " or ".join(f"`{label}`" for label in question.labels)
            lines.append(
                f"| {question.name} ({asked}) | {question.metric} | {question.goal:.2f} | {' | '.join(cells)} |"
            )
    return "\n".join(lines)


def _limits(taxonomy: Taxonomy) -> str:
    if taxonomy.clean_label is None:
        return _SENTIMENT_USE
    return """## Use, and what it does not do

For sorting comments before a person looks: hide, queue or warn. `classification` is the one word to act on.

- The standard of `insult` is BEEP's, the strictest of the sources: harsh criticism of a film or a person is often
  marked. Raise its threshold (`THRESHOLDS=insult=0.8`) or ignore the label where criticism is welcome.
- `hate` follows K-MHaS: contempt for a group. It reads words more than intent, so reports and quotations of hate are
  often marked too; irony without a marked word is missed.
- It is no judge of facts, threats, sexual content, spam or self-harm, and knows no conversation: each text
  stands alone.
- News comments of 2018 to 2020 taught it most of what it knows; newer slang will be missed until it is trained again.
- Do not decide about people by it alone."""


def _sources(findings: Findings) -> str:
    if not findings.hashes:
        return _NO_FILES
    rows = []
    for file, digest in findings.hashes.items():
        source, licence = LICENCES[file.removesuffix(".jsonl")]
        count = findings.rows_by_source.get(file.removesuffix(".jsonl"), 0)
        rows.append(f"| `{file}` | {source} | {licence} | {count:,} | `{digest}` |")
    head = "## Trained on\n\n| file | source | licence | rows | sha256 |\n|---|---|---|---|---|\n"
    return head + "\n".join(rows) + _LICENCE
