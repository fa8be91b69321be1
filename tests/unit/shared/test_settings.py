import pytest

from shared.errors import SettingsError
from shared.settings import Settings, load_settings


def test_a_value_that_cannot_work_is_named_as_the_user_wrote_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "99999")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(SettingsError, match=r"PORT: .*65535.*LOG_LEVEL: "):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "abc", "PORT: write a whole number, not 'abc'"),
        ("KEEP_ALIVE_S", "0", "KEEP_ALIVE_S: it must be greater than or equal to 1"),
        ("HUB_TIMEOUT_S", "soon", "HUB_TIMEOUT_S: write a number, not 'soon'"),
        ("REQUIRE_KEYS", "perhaps", "REQUIRE_KEYS: write true or false, not 'perhaps'"),
        ("STRICTNESS", "hard", "STRICTNESS: write 'lenient', 'standard' or 'strict', not 'hard'"),
        ("CLOSED_ROUTES", "doors", "CLOSED_ROUTES: write 'metrics', 'docs' or 'info', not 'doors'"),
        (
            "THRESHOLDS",
            "curse:0.4",
            "THRESHOLDS: write each label with a score from 0 to 1, such as curse=0.4,insult=0.6, not 'curse:0.4'",
        ),
        (
            "THRESHOLDS",
            "curse=4",
            "THRESHOLDS: write each label with a score from 0 to 1, such as curse=0.4,insult=0.6, not 'curse=4'",
        ),
        (
            "REDIS_URL",
            "localhost",
            (
                "REDIS_URL: 'localhost' is not a Redis address; "
                "write redis://host:6379/0, rediss://host:6379/0 or unix:///path/to.sock"
            ),
        ),
    ],
)
def test_a_wrong_value_is_told_in_a_sentence_that_says_what_to_write(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        load_settings()
    assert refusal.value.message == sentence


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    monkeypatch.setenv("MODEL", " ")
    settings = load_settings()
    assert (settings.port, settings.model) == (8000, None)


def test_thresholds_are_written_as_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THRESHOLDS", "curse=0.4, hate/gender = 0.7")
    assert load_settings().thresholds == {"curse": 0.4, "hate/gender": 0.7}


@pytest.mark.parametrize("value", ["curse", "curse=high", "curse=2", "curse=nan", "curse=-0.1", "=0.5,curse"])
def test_a_threshold_that_is_no_share_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("THRESHOLDS", value)
    with pytest.raises(SettingsError, match="THRESHOLDS"):
        load_settings()


def test_the_level_of_strictness_is_standard_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().strictness == "standard"
    monkeypatch.setenv("STRICTNESS", "Strict")
    assert load_settings().strictness == "strict"


def test_an_unknown_level_is_refused_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRICTNESS", "harsh")
    with pytest.raises(SettingsError, match=r"STRICTNESS: .*'lenient', 'standard' or 'strict'"):
        load_settings()


def test_workers_share_the_processors_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.settings.available_cpus", lambda: 8)
    assert Settings(workers=2).inference_threads() == 4
    assert Settings(workers=16).inference_threads() == 1
    assert Settings(workers=2, model_threads=3).inference_threads() == 3


@pytest.mark.parametrize("value", [",", " ", " , ,", "\t"])
def test_keys_that_name_no_key_do_not_open_the_service(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("API_KEYS", value)
    with pytest.raises(SettingsError, match=r"API_KEYS: .*it names no key"):
        load_settings()


@pytest.mark.parametrize("value", ["good,비밀", "good,café", "good,two words", "good,a\x7fb", "good,a\u200bb"])
def test_a_key_that_no_header_can_carry_is_refused_by_its_number_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("API_KEYS", value)
    with pytest.raises(SettingsError, match=r"API_KEYS: .*key 2 ") as refusal:
        load_settings()
    assert value.partition(",")[2] not in refusal.value.message


def test_keys_are_taken_without_the_spaces_around_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEYS", " one , two,")
    assert load_settings().api_keys == ("one", "two")
