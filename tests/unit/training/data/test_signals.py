"""What one row of each source says: the signals that are known, and with which value."""

import pytest

from training.data.signals import ANY, CLEAN, KINDS, READERS, SERVED, SIGNALS

OTHER_KINDS = {f"hate/{kind}": 0.0 for kind in KINDS}
BEEP, KOSBI, NSMC = "beep/offensive", "kosbi/unsafe", "nsmc/positive"

SAID: list[tuple[str, dict[str, object], dict[str, float]]] = [
    ("beep", {"labels": ["none"], "bias": "none"}, {**CLEAN, BEEP: 0.0}),
    ("beep", {"labels": ["hate"], "bias": "gender"}, {ANY: 1.0, BEEP: 1.0}),
    ("curse_detection", {"labels": ["curse"]}, {ANY: 1.0, "curse": 1.0}),
    ("curse_detection", {"labels": ["clean"]}, {**CLEAN}),
    ("everyday_sentences", {"labels": ["clean"]}, {**CLEAN}),
    ("field", {"labels": ["bad"]}, {ANY: 1.0}),
    ("field", {"labels": ["clean"]}, {ANY: 0.0}),
    ("hatescore", {"labels": ["혐오발언"]}, {ANY: 1.0, "hate": 1.0}),
    ("hatescore", {"labels": ["단순 악플"]}, {ANY: 1.0, "insult": 1.0}),
    ("hatescore", {"labels": ["Clean"]}, {**CLEAN}),
    ("headlines", {"labels": ["headline"]}, {**CLEAN}),
    ("kda", {"labels": ["implicit"]}, {ANY: 1.0, "insult": 1.0, "curse": 0.0}),
    ("kda", {"labels": ["neutral"]}, {**CLEAN}),
    ("kmhas", {"labels": ["not_hate"]}, {**CLEAN}),
    ("kmhas", {"labels": ["profanity"]}, {**OTHER_KINDS, ANY: 1.0, "curse": 1.0, "hate": 0.0}),
    (
        "kmhas",
        {"labels": ["race", "age", "profanity"]},
        {**OTHER_KINDS, ANY: 1.0, "curse": 1.0, "hate": 1.0, "hate/origin": 1.0, "hate/age": 1.0},
    ),
    ("kmhas", {"labels": ["physical"]}, {**OTHER_KINDS, ANY: 1.0, "curse": 0.0, "hate": 1.0, "hate/appearance": 1.0}),
    ("kosbi", {"labels": ["safe"]}, {**CLEAN, KOSBI: 0.0}),
    ("kosbi", {"labels": ["unsafe", "stereotypes"]}, {"curse": 0.0, "threat": 0.0, KOSBI: 1.0}),
    ("malicious_comments", {"labels": ["malicious"]}, {ANY: 1.0, "insult": 1.0}),
    ("malicious_comments", {"labels": ["clean"]}, {**CLEAN}),
    ("nsmc", {"labels": ["positive"], "text": "최고의 영화"}, {**CLEAN, NSMC: 1.0}),
    ("nsmc", {"labels": ["negative"], "text": "시간이 아깝다"}, {**CLEAN, NSMC: 0.0}),
    ("nsmc", {"labels": ["negative"], "text": "이런 시1발 돈 아까워"}, {NSMC: 0.0}),
    ("nsmc", {"labels": ["negative"], "text": "ㅅㅂ 돈 아까워"}, {NSMC: 0.0}),
    ("square_questions", {"labels": ["question"]}, {**CLEAN}),
    ("unlabelled_comments", {"labels": []}, {}),
]


@pytest.mark.parametrize(("source", "row", "expected"), SAID, ids=lambda value: str(value)[:40])
def test_a_source_says_what_it_labels_and_nothing_else(
    source: str, row: dict[str, object], expected: dict[str, float]
) -> None:
    assert READERS[source]({"text": "글", **row}) == expected


def test_every_source_is_tried() -> None:
    assert {source for source, _, _ in SAID} == set(READERS)


def test_clean_means_that_no_served_label_holds() -> None:
    assert dict.fromkeys((*SERVED, ANY), 0.0) == CLEAN


def test_what_beep_calls_offensive_lies_between_clean_and_bad_and_names_no_label() -> None:
    said = READERS["beep"]({"text": "글", "labels": ["offensive"], "bias": "none"})

    assert 0 < said.pop(ANY) < 0.5
    assert said == {BEEP: 1.0}


def test_a_standard_that_is_not_the_served_one_has_a_signal_of_its_own() -> None:
    own = set(SIGNALS) - set(SERVED)

    assert own == {BEEP, KOSBI, NSMC}
    assert ANY not in SIGNALS
