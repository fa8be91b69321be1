import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import MalformedRequestError, UnsupportedOptionError
from shared.options import LEVELS, Level, VerdictOptions, check_supported, parse_verdict_options, read_thresholds_text

MODEL_LEVELS = {"standard": {"curse": 0.5, "insult": 0.5}, "strict": {"curse": 0.3, "insult": 0.3}}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def test_without_either_there_are_no_options() -> None:
    assert parse_verdict_options(None, None) is None
    assert parse_verdict_options(None, {}) is None


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_and_thresholds_are_taken_in_any_order_of_labels(level: Level) -> None:
    options = parse_verdict_options(level, {"insult": 1, "curse": 0.25})

    assert options == VerdictOptions(level, (("curse", 0.25), ("insult", 1.0)))
    assert hash(options) == hash(parse_verdict_options(level, {"curse": 0.25, "insult": 1}))


@pytest.mark.parametrize("level", ["harsh", "", "Strict", 1, True, ["strict"], {}, 2**70, "\ud800"])
def test_an_unknown_level_is_refused_with_those_that_there_are(level: object) -> None:
    with pytest.raises(MalformedRequestError, match="strictness must be one of lenient, standard, strict") as raised:
        parse_verdict_options(level, None)
    assert raised.value.param == "strictness"


@pytest.mark.parametrize(
    "score", ["0.4", True, None, [0.4], {}, -0.001, 1.001, float("nan"), float("inf"), 10**400, "\udcff"]
)
def test_a_threshold_that_is_no_number_from_0_to_1_is_refused_by_its_label(score: object) -> None:
    with pytest.raises(MalformedRequestError, match='"curse" must have a number from 0 to 1, not ') as raised:
        parse_verdict_options(None, {"curse": score})
    assert raised.value.param == "thresholds"
    assert raised.value.message.encode()


@pytest.mark.parametrize("thresholds", [0.4, "curse=0.4", ["curse"], True])
def test_thresholds_that_are_no_object_are_refused(thresholds: object) -> None:
    with pytest.raises(MalformedRequestError, match="thresholds must be an object such as") as raised:
        parse_verdict_options(None, thresholds)
    assert raised.value.param == "thresholds"


def test_more_thresholds_than_any_model_has_labels_are_refused() -> None:
    with pytest.raises(MalformedRequestError, match="thresholds takes 256 labels, not 257"):
        parse_verdict_options(None, {str(number): 0.5 for number in range(257)})


@given(strictness=json_values, thresholds=json_values)
def test_whatever_comes_is_options_that_travel_or_an_error_that_can_be_sent(
    strictness: object, thresholds: object
) -> None:
    try:
        options = parse_verdict_options(strictness, thresholds)
    except MalformedRequestError as error:
        refusal = error.message.encode()
        assert refusal.startswith((b"strictness ", b"thresholds"))
    else:
        assert msgspec.json.decode(msgspec.json.encode(options), type=VerdictOptions | None) == options


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("curse=0.4,insult=0.6", {"curse": 0.4, "insult": 0.6}),
        (" curse = 0.4 , ", {"curse": 0.4}),
        ('{"curse": 0.4}', {"curse": 0.4}),
        ("curse", {"curse": ""}),
        ("curse=high", {"curse": "high"}),
    ],
)
def test_a_form_writes_thresholds_as_the_setting_does_or_as_json(text: str, expected: dict) -> None:
    assert read_thresholds_text(text) == expected


@pytest.mark.parametrize("text", ['{"curse": 0.4', "{", "{curse: 0.4}"])
def test_what_begins_like_an_object_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(MalformedRequestError, match="thresholds is not a JSON object"):
        read_thresholds_text(text)


def test_options_that_a_model_cannot_follow_are_refused_with_what_it_has() -> None:
    check_supported(VerdictOptions("strict", (("curse", 0.1),)), "m", MODEL_LEVELS, ["curse"])
    with pytest.raises(
        UnsupportedOptionError, match="the model m has only the strictness standard, strict, not lenient"
    ):
        check_supported(VerdictOptions("lenient"), "m", MODEL_LEVELS, ["curse"])
    with pytest.raises(
        UnsupportedOptionError, match='the model m has no threshold for "x"; it has them for curse, ins'
    ):
        check_supported(VerdictOptions(None, (("x", 0.1),)), "m", MODEL_LEVELS, ["curse"])
    with pytest.raises(UnsupportedOptionError, match="the model m answers its highest label and has no thresholds"):
        check_supported(VerdictOptions(None, (("x", 0.1),)), "m", {"standard": {}}, [])


def test_a_label_that_matters_must_be_one_of_the_model() -> None:
    check_supported(VerdictOptions(labels=("curse",)), "m", MODEL_LEVELS, ["curse", "insult"])
    with pytest.raises(UnsupportedOptionError, match='the model m has no label "curze"; it has curse, insult'):
        check_supported(VerdictOptions(labels=("curze",)), "m", MODEL_LEVELS, ["curse", "insult"])


def test_options_of_a_later_version_are_not_read_as_if_they_were_ours() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `mood`"):
        msgspec.json.decode(b'{"strictness": "strict", "mood": "kind"}', type=VerdictOptions)
