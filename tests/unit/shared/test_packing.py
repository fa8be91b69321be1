import struct
import zlib

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.jobs.packing import _PLAIN, PackedResult, pack_rows, pack_verdicts, unpack_result
from shared.jobs.records import Row, Verdicts
from shared.verdict import Details, Failure, Match, PolicyVersion, Span, Verdict

NAMES = ["clean", "curse", "insult"]
scores = st.floats(0, 1)
words = st.text(st.characters(exclude_categories=["Cs"]))
verdicts = st.builds(
    Verdict,
    classification=st.sampled_from(NAMES),
    confidence=scores,
    scores=st.fixed_dictionaries(dict.fromkeys(NAMES, scores)),
    labels=st.lists(st.sampled_from(NAMES), max_size=3),
    windows=st.integers(1, 64),
    spans=st.just(msgspec.UNSET) | st.lists(st.builds(Span, words, st.just(0), st.just(1), words, scores), max_size=2),
    masked=st.just(msgspec.UNSET) | words,
    corrected=st.just(msgspec.UNSET) | st.just(value=True),
)


@given(outcomes=st.lists(verdicts | st.builds(Failure, words, words), max_size=5))
def test_what_is_packed_comes_back(outcomes: list[Verdict | Failure]) -> None:
    rows = [Row(number, "글") for number in range(len(outcomes))]
    packed = pack_verdicts(Verdicts(NAMES, "r1", outcomes)) + pack_rows(rows)

    assert unpack_result(packed) == (rows, Verdicts(NAMES, "r1", outcomes))


def test_scores_are_packed_in_the_order_of_the_labels_whatever_their_own() -> None:
    verdict = Verdict("insult", 0.7, {"insult": 0.7, "clean": 0.3, "curse": 0.1}, ["insult"])
    packed = pack_verdicts(Verdicts(NAMES, "r1", [verdict])) + pack_rows([Row(1, "글")])

    (restored,) = unpack_result(packed)[1].outcomes
    assert isinstance(restored, Verdict)
    assert list(restored.scores.items()) == [("clean", 0.3), ("curse", 0.1), ("insult", 0.7)]


def test_a_result_that_an_earlier_version_stored_is_read() -> None:
    body = zlib.compress(
        b'{"label_names":["clean","curse"],"revision":"r0",'
        b'"outcomes":[["v","curse",0.9,["curse"],[0.1,0.9]],["e","empty_text","it is empty"]]}'
    )
    rows = zlib.compress(msgspec.json.encode([[1, "a", None], [2, "", None, ["empty_text", "it is empty"]]]))

    rows_read, stored = unpack_result(struct.pack(">I", len(body)) + body + rows)

    assert stored.outcomes == [
        Verdict("curse", 0.9, {"clean": 0.1, "curse": 0.9}, ["curse"]),
        Failure("empty_text", "it is empty"),
    ]
    assert rows_read[1].error == Failure("empty_text", "it is empty")


def test_what_a_policy_adds_to_a_verdict_comes_back_with_the_score_of_its_own_label() -> None:
    verdict = Verdict(
        "denied",
        1.0,
        {"denied": 1.0, "curse": 0.2, "clean": 0.0},
        ["denied"],
        matches=[Match("deny", "하나", "denied", 0, 2, "하나")],
        details=Details("m", "r", PolicyVersion("board", 1), "standard", {"curse": 0.5}),
    )
    packed = pack_verdicts(Verdicts(["clean", "curse"], "r", [verdict])) + pack_rows([Row(1, "하나")])

    _, stored = unpack_result(packed)

    assert stored.outcomes == [verdict]


def test_what_may_hold_words_is_never_denied_and_what_cannot_is_not_unpacked() -> None:
    texts = ["안녕 하세요 12", "ABC straße", '따옴표 "안" \\ 끝', "줄\n바꿈", "ﬃ ŉ İ"]
    rows = [Row(line, text) for line, text in enumerate(texts, start=1)]
    verdicts = Verdicts(NAMES, "r1", [Failure("empty_text", "nothing") for _ in rows])
    result = PackedResult(pack_verdicts(verdicts) + pack_rows(rows))

    for text in texts:
        for start in range(len(text)):
            for end in range(start + 1, len(text) + 1):
                assert result.may_hold(text[start:end])
    assert result.may_hold("abc")
    assert result.may_hold("STRASSE")
    assert not result.may_hold("없는 말")
    assert not result.may_hold("13")


def test_no_other_sign_turns_into_one_that_is_looked_for_as_it_is() -> None:
    signs = [chr(number) for number in range(0x110000)]
    assert not [one for one in signs if _PLAIN.search(one.casefold()) and not _PLAIN.search(one)]
