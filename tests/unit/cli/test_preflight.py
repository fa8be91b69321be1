import shutil
import socket
from pathlib import Path
from typing import NamedTuple

import pytest
from redis import Redis

from cli import preflight
from shared.errors import StartupError
from tests.support.valkey import running_valkey


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
    with pytest.raises(StartupError, match=r"cannot listen on 192\.0\.2\.1"):
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


def test_a_redis_that_drops_jobs_is_refused_warned_of_or_left_alone_as_asked() -> None:
    with running_valkey(**{"maxmemory-policy": "allkeys-lru", "maxmemory": "64mb", "appendonly": "yes"}) as url:
        with pytest.raises(
            StartupError, match="set maxmemory-policy noeviction; or start all the same with STORE_CHECKS"
        ):
            preflight.require_redis(url, "refuse")
        assert len(preflight.require_redis(url, "warn")) == 1
        assert preflight.require_redis(url, "off") == []


def test_a_redis_with_another_password_is_not_said_to_be_away() -> None:
    with running_valkey() as url, Redis.from_url(url) as redis:
        redis.config_set("requirepass", "secret")
        with pytest.raises(StartupError, match="refuses the user or password"):
            preflight.require_redis(url, "refuse")
