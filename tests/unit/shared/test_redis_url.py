import pytest

from shared import redis_url
from shared.errors import SettingsError


@pytest.mark.parametrize(
    ("url", "for_celery"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("rediss://user:pass@host:6380/2", "rediss://user:pass@host:6380/2"),
        ("unix:///run/store.sock?db=3", "redis+socket:///run/store.sock?virtual_host=3"),
        ("unix:///run/store.sock", "redis+socket:///run/store.sock?virtual_host=0"),
    ],
)
def test_the_address_is_spelled_as_kombu_wants_it(url: str, for_celery: str) -> None:
    assert redis_url.for_celery(url) == for_celery


@pytest.mark.parametrize("url", ["localhost:6379", "http://host", "redis://", "unix://"])
def test_what_is_no_redis_address_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(SettingsError, match="redis://host:6379/0"):
        redis_url.check(url)


def test_no_password_is_shown() -> None:
    assert redis_url.redact("redis://user:secret@host:6379/0") == "redis://host:6379/0"
