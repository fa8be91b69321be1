"""A setting that is misspelt in the environment is noticed, and other programs' variables are not."""

import pytest

from shared.misspelt import misspelt
from shared.settings import Settings


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("STRICTNES", "STRICTNESS"),
        ("STRICNTESS", "STRICTNESS"),
        ("MAX_BATCH_TOKEN", "MAX_BATCH_TOKENS"),
        ("THRESHHOLDS", "THRESHOLDS"),
        ("API_KEY", "API_KEYS"),
        ("RESULT_TTL", "RESULT_TTL_S"),
        ("strictnes", "STRICTNESS"),
        ("PATH", None),
        ("HOSTNAME", None),
        ("HOME", None),
        ("REDIS_PASSWORD", None),
        ("PYTHONPATH", None),
        ("LC_ALL", None),
        ("SERVICE_PORT", None),
        ("KUBERNETES_SERVICE_HOST", None),
    ],
)
def test_what_is_nearly_a_setting_is_named_with_it(name: str, meant: str | None) -> None:
    assert list(misspelt([name])) == ([] if meant is None else [(name, meant)])


def test_settings_themselves_are_not_misspelt() -> None:
    assert list(misspelt([name.upper() for name in Settings.model_fields])) == []
