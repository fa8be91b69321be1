"""The model card of a bundle, its README.md: what it answers, what it was made from, its scores and its limits."""

from bundles.format import CARD_FILE, Bundle, write_manifest
from training.score.findings import BundleFindings, Findings, Verdicts
from training.score.report import share_table, shown
from training.ship.serving import STRICTNESSES, Taxonomy

LICENCES = {
    "beep": ("kocohub/korean-hate-speech (BEEP!)", "CC BY-SA 4.0"),
    "curse_detection": ("2runo/Curse-detection-data", "MIT"),
    "everyday_sentences": ("songys/Chatbot_data", "MIT"),
    "field": ("written for this project; dev rows only", "Apache-2.0"),
    "headlines": ("kocohub/korean-hate-speech, news titles", "CC BY-SA 4.0"),
    "hatescore": ("sgunderscore/hatescore-korean-hate-speech", "Apache-2.0"),
    "kda": ("minkyeongjeon/kda", "Apache-2.0"),
    "kosbi": ("naver-ai/korean-safety-benchmarks, KoSBi", "MIT"),
    "kmhas": ("adlnlp/K-MHaS", "CC BY-SA 4.0"),
    "malicious_comments": ("ZIZUN/korean-malicious-comments-dataset", "MIT"),
    "nsmc": ("e9t/nsmc", "CC0"),
    "square_questions": ("naver-ai/korean-safety-benchmarks, SQuARe", "MIT"),
    "unlabelled_comments": ("kocohub/korean-hate-speech, unlabelled comments", "CC BY-SA 4.0"),
}
_MEANINGS = {
    "clean": ("없음", "아무 라벨도 문턱값을 넘지 않음", "이 영화 정말 재미있었어요!"),
    "curse": ("욕설", "비속어, 그 줄임말과 변형", "씨발 진짜 개같은 새끼야"),
    "insult": (
        "모욕·공격",
        "욕설이 없어도 누군가를 깎아내리거나 공격하는 말",
        "그 머리로 무슨 댓글을 단다고 설치냐",
    ),
    "hate": ("혐오", "집단을 싸잡아 멸시하는 말; 아래 종류를 함께 답함", "틀딱들은 투표권을 뺏어야 한다"),
    "hate/gender": ("성별", "여성, 남성, 성소수자", "김치녀들은 군대도 안 가면서 권리만 찾네"),
    "hate/age": ("나이", "노인, 청소년", "급식충들은 좀 빠져라"),
    "hate/origin": ("출신", "지역, 국적, 인종", "짱깨들 다 내쫓아라"),
    "hate/politics": ("정치 성향", "지지자 집단", "대깨문들은 답이 없다"),
    "hate/religion": ("종교", "신자 집단", "개독들은 다 똑같다"),
    "hate/appearance": ("외모", "몸과 생김새", "돼지들은 밖에 나오지 마라"),
    "threat": ("위협", "해치겠다는 말, 죽음을 바라는 말, 자해를 부추기는 말", "밤길 조심해라 찾아간다"),
    "positive": ("긍정", "호의적인 평", "최고의 영화, 또 보고 싶다"),
    "neutral": ("중립", "호의도 비판도 아닌 글", "상영 시간은 두 시간입니다"),
    "negative": ("부정", "비판적인 평", "시간이 아까운 영화"),
}

_NO_FILES = """## Trained on

Made-up sentences (`training/data/made_up.py`): this bundle only proves that the pipeline runs."""
_LICENCE = """

The rows are what there was to draw from; `docs/research/model-notes.md` says how much of it the shipped networks saw. A
text that several files share counts for the first of them. No text that the bundle is scored on is among the training
rows, white space and disguises aside: the pipeline stops if one is. Sentences written for the kinds of text that these
sources lack join them (`training/data/families/`, those composed from `training/data/grammars/`, and those made up
around curses and innocent look-alikes).

**Licence of the weights: CC BY-SA 4.0.** K-MHaS and BEEP are share-alike, and weights learnt from them are treated as
adapted from them; name the sources above when you pass the bundle on. The code is Apache-2.0."""
_SENTIMENT_USE = """## Use

Tells favourable from unfavourable text in Korean; `neutral` is for text that is neither. It was trained on film
reviews, and on sentences about shops, apps, food and games written for it."""
_LINES = """## Where the lines are

The standard is what a reasonable moderator of a Korean community or news site would act on. Examples on both sides:

| label | counts | does not count |
|---|---|---|
| `curse` | 아 씨발 진짜, ㅅㅂ, 병1신, 뻐큐 | 시발점, 병신년(丙申年), "욕설은 삭제됩니다" |
| `insult` | 그 머리로 무슨 댓글을 다냐, 부모가 뭘 가르쳤을까 | 연기가 아쉬웠다, 이 정책은 실패다, 서비스가 형편없다 |
| `hate` | 틀딱들은 투표권을 뺏어야 한다 | 노인 인구가 늘고 있다, "틀딱"이라고 부르지 맙시다 |
| `threat` | 밤길 조심해라, 죽여 버린다, 한강이나 가라 | 배고파 죽겠다, 몬스터를 다 죽였다, 한강에서 치맥하자 |

Crude but friendly talk (존맛, 미쳤다), criticism of things, and words quoted to reject them are `clean`."""


def write_card(bundle: Bundle, taxonomy: Taxonomy, findings: Findings) -> None:
    """Write the card into the bundle and the manifest anew."""
    own = next(found for found in findings.bundles if bundle.config.name.endswith(f"-{found.name}"))
    sections = [_head(bundle, own), _labels(taxonomy)]
    if own.verdicts:
        sections += [_LINES, _strictness(taxonomy), _scores(own.verdicts, findings)]
    sections += [_limits(taxonomy), _sources(findings)]
    (bundle.path / CARD_FILE).write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    write_manifest(bundle.path)


def _head(bundle: Bundle, own: BundleFindings) -> str:
    return f"""# {bundle.config.name}

A {own.layers}-layer BERT (hidden {own.width}), int8, {own.bytes_total / 1e6:.1f} MB, for Korean comments.{_wide(own)}
It goes back to `intfloat/multilingual-e5-small` (MIT), its vocabulary cut to 8,102 Korean pieces. The pipeline that
made it is `training/` (`make model`); `docs/model.md` is its full report, `docs/model-bundles.md` the format."""


def _wide(own: BundleFindings) -> str:
    return (
        "\nBeside the encoder, a table of weights for pieces and pairs of pieces adds to `curse`, `insult` and `hate`."
        if own.buckets
        else ""
    )


def _labels(taxonomy: Taxonomy) -> str:
    names = [*([taxonomy.clean_label] if taxonomy.clean_label else []), *taxonomy.names]
    rows = [f"| `{name}` | {' | '.join(_MEANINGS[name])} |" for name in names]
    return "## Labels\n\n| label | 뜻 | 무엇 | 예 |\n|---|---|---|---|\n" + "\n".join(rows)


def _strictness(taxonomy: Taxonomy) -> str:
    lines = [
        f"| `{label.name}` | {' | '.join(shown(label.thresholds[level]) for level in STRICTNESSES)} |"
        for label in taxonomy.labels
    ]
    return (
        "## Strictness\n\nThe score from which a label counts. `standard` is what a moderator would act on; `lenient` "
        "flags about a third as\nmuch harmless text, for rooms where people know each other; `strict` is what the "
        "annotators of BEEP! call offensive,\nfor children's and brands' pages: sneers, rude words about people in the "
        "news, and so a good half of all news comments.\nBelow about .03, the score of `insult` says how much BEEP's "
        "annotators would mind, and not how likely an insult is.\n\n"
        f"| label | {' | '.join(f'`{level}`' for level in STRICTNESSES)} |\n|---|---|---|---|\n" + "\n".join(lines)
    )


def _scores(verdicts: Verdicts, findings: Findings) -> str:
    tables = [share_table(verdicts.sets, findings.filters, bad=bad) for bad in (False, True)]
    return (
        "## Scores\n\nShare of each set that is anything but `clean`. Thresholds were fitted to the sets that are not "
        "marked *not tuned*;\n`docs/model.md` says what was picked with the others in view.\n\n" + "\n\n".join(tables)
    )


def _limits(taxonomy: Taxonomy) -> str:
    if taxonomy.clean_label is None:
        return _SENTIMENT_USE
    return """## Use, and what it does not do

For sorting comments before a person looks: hide, queue or warn. `classification` is the one word to act on.

- It knows no conversation: each text stands alone, so irony and a friend's teasing can be taken for an attack, and an
  attack that only its target understands is missed.
- It is no judge of facts, sexual content, spam or a writer's own distress (우울하다, 힘들다 are `clean`).
- Calm stereotypes about groups are mostly `clean`: few boards remove them.
- News comments of 2018 to 2020 taught it much of what it knows; newer slang will be missed until it is trained again.
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
