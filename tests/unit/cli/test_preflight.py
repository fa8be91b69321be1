import shutil
import socket
from pathlib import Path
from typing import NamedTuple

import pytest
from redis import Redis

from cli import own_redis, preflight
from shared.errors import StartupError
from tests.support.stack import free_port
from tests.support.tls import CERTIFICATE, tls_valkey
from tests.support.valkey import running_valkey

pytestmark = pytest.mark.integration


class Usage(NamedTuple):
    """What `shutil.disk_usage` returns."""

    total: int
    used: int
    free: int


def test_a_free_port_is_accepted_and_a_taken_one_named_with_an_alternative() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(StartupError, match=f"port {port} .*PORT={port + 1}"):
            preflight.require_free_port("127.0.0.1", port)
    preflight.require_free_port("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(StartupError, match=r"cannot listen on HOST=192\.0\.2\.1"):
        preflight.require_free_port("192.0.2.1", 8000)


def test_a_full_disk_is_said_with_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 << 20, 97 << 20, 3 << 20))
    with pytest.raises(StartupError, match="only 3 MB are free"), preflight.exclusive_data_dir(tmp_path / "data"):
        pass


def test_a_data_directory_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with (
        preflight.exclusive_data_dir(tmp_path),
        pytest.raises(StartupError, match="another kobert uses"),
        preflight.exclusive_data_dir(tmp_path),
    ):
        pass
    with preflight.exclusive_data_dir(tmp_path):
        pass


@pytest.mark.parametrize("place", ["", "data"])
def test_a_file_in_the_place_of_the_data_directory_is_named_as_one(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    wanted = tmp_path / "file" / place
    with pytest.raises(StartupError, match="a file is in its way; choose another with DATA_DIR"):
        preflight.exclusive_data_dir(wanted).__enter__()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "0.0.0.0.0.0", "가나다", "::2", "x" * 300])
def test_an_address_that_cannot_work_is_not_answered_with_another_port(host: str) -> None:
    with pytest.raises(StartupError, match=r"127\.0\.0\.1") as refusal:
        preflight.require_free_port(host, 8000)
    assert f"HOST={host}" in refusal.value.message
    assert "PORT=" not in refusal.value.message


def test_the_highest_port_in_use_is_answered_with_one_that_exists() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 65535))
        taken.listen()
        with pytest.raises(StartupError, match="PORT=65534"):
            preflight.require_free_port("127.0.0.1", 65535)


def test_a_port_that_ipv4_alone_uses_is_not_free_for_every_network() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StartupError, match="stop the program that uses it"):
            preflight.require_free_port("::", taken.getsockname()[1])


def test_a_redis_with_a_certificate_that_nobody_vouches_for_is_not_said_to_be_down() -> None:
    with tls_valkey() as port, pytest.raises(StartupError, match="certificate that is not trusted") as refusal:
        own_redis.require_redis(f"rediss://me:secret@127.0.0.1:{port}/0", "refuse")
    assert "ssl_ca_certs" in refusal.value.message
    assert "start that server" not in refusal.value.message
    assert "secret" not in refusal.value.message


def test_a_redis_with_a_certificate_of_a_named_authority_is_used() -> None:
    with tls_valkey() as port:
        own_redis.require_redis(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={CERTIFICATE}", "refuse")


def test_the_certificate_of_another_host_is_said_to_be_that() -> None:
    with tls_valkey("127.0.0.2") as port, pytest.raises(StartupError, match=r"not trusted here \(.*mismatch"):
        own_redis.require_redis(f"rediss://127.0.0.2:{port}/0?ssl_ca_certs={CERTIFICATE}", "refuse")


def test_tls_on_one_side_alone_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_redis, "REDIS_CHECK_S", 1)
    with tls_valkey() as port, pytest.raises(StartupError, match="write rediss://"):
        own_redis.require_redis(f"redis://127.0.0.1:{port}/0", "refuse")
    port = free_port()
    with running_valkey(port=str(port)), pytest.raises(StartupError, match="write redis://"):
        own_redis.require_redis(f"rediss://127.0.0.1:{port}/0", "refuse")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("redis://no-such-host.invalid:6379/0", "host name that is not known"),
        ("redis://127.0.0.1:1/0", "does not answer .*start that server"),
        ("unix:///nowhere/at/all.sock", "does not answer .*No such file"),
        ("rediss://127.0.0.1:{port}/0?ssl_ca_certs=/nowhere/ca.pem", "/nowhere/ca.pem, which cannot be read"),
    ],
)
def test_what_keeps_a_redis_from_answering_is_named(url: str, sentence: str) -> None:
    with tls_valkey() as port, pytest.raises(StartupError, match=sentence):
        own_redis.require_redis(url.format(port=port), "refuse")


def test_a_redis_that_drops_jobs_is_refused_warned_of_or_left_alone_as_asked() -> None:
    with running_valkey(**{"maxmemory-policy": "allkeys-lru", "maxmemory": "64mb", "appendonly": "yes"}) as url:
        with pytest.raises(
            StartupError, match="set maxmemory-policy noeviction; or start all the same with STORE_CHECKS"
        ):
            own_redis.require_redis(url, "refuse")
        assert len(own_redis.require_redis(url, "warn")) == 1
        assert own_redis.require_redis(url, "off") == []


def test_a_redis_with_another_password_is_not_said_to_be_away() -> None:
    with running_valkey() as url, Redis.from_url(url) as redis:
        redis.config_set("requirepass", "secret")
        with pytest.raises(StartupError, match="refuses the login"):
            own_redis.require_redis(url, "refuse")
