"""The embedded store after a power cut, with damaged files, and in folders that it may not use: a real server."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli import append_only, preflight
from cli.store import EmbeddedStore
from shared.errors import StartupError
from shared.settings import Settings
from tests.support.embedded_store import file_of, fill, running_store, server_of

KEYS = 100
NOBODY = 65534


@pytest.fixture(scope="module")
def written() -> Iterator[Path]:
    """A store with `KEYS` keys, half of them in its base file, that was killed."""
    folder = Path(tempfile.mkdtemp(prefix="kt-"))
    fill(folder / "data", KEYS)
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(written: Path, short_tmp: Path) -> Path:
    """A copy of it that a test may damage."""
    return Path(shutil.copytree(written, short_tmp / "data"))


def files_of(data_dir: Path) -> Path:
    return data_dir / "store" / append_only.FOLDER


def cut(path: Path, count: int) -> None:
    os.truncate(path, path.stat().st_size - count)


def append(path: Path, what: bytes) -> None:
    with path.open("ab") as file:
        file.write(what)


def overwrite(path: Path, at: int, what: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(what)


def test_zeros_at_the_end_are_cut_and_the_file_as_it_was_is_kept(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = file_of(files_of(data_dir), "incr")
    whole = commands.stat().st_size
    append(commands, b"\0" * 5_000)
    damaged = commands.read_bytes()

    with running_store(data_dir) as redis:
        assert redis.dbsize() == KEYS

    (copy,) = (data_dir / "store").glob("*.damaged-*")
    assert copy.read_bytes() == damaged
    assert commands.read_bytes()[:whole] == damaged[:whole]
    note = capsys.readouterr().err
    assert "5,000 zeros" in note
    assert str(copy) in note


@pytest.mark.parametrize("lost_bytes", [1, 7, 30, 66])
def test_a_last_command_that_broke_off_before_the_zeros_is_all_that_is_lost(data_dir: Path, lost_bytes: int) -> None:
    commands = file_of(files_of(data_dir), "incr")
    cut(commands, lost_bytes)
    append(commands, b"\0" * (3 << 20))

    with running_store(data_dir) as redis:
        assert redis.dbsize() == KEYS - 1


def test_a_file_of_nothing_but_zeros_leaves_what_the_base_file_has(data_dir: Path) -> None:
    commands = file_of(files_of(data_dir), "incr")
    commands.write_bytes(b"\0" * commands.stat().st_size)

    with running_store(data_dir) as redis:
        assert redis.dbsize() == KEYS // 2


def test_a_value_that_ends_in_zeros_is_no_damage(data_dir: Path) -> None:
    commands = file_of(files_of(data_dir), "incr")
    append(commands, b"*3\r\n$3\r\nSET\r\n$4\r\nnull\r\n$6\r\n\0\0\0\0\0\0\r\n")

    with running_store(data_dir) as redis:
        assert redis.get("null") == b"\0" * 6
    assert not list((data_dir / "store").glob("*.damaged-*"))


def test_a_command_that_broke_off_costs_itself_alone(data_dir: Path) -> None:
    cut(file_of(files_of(data_dir), "incr"), 7)

    with running_store(data_dir) as redis:
        assert redis.dbsize() == KEYS - 1


@pytest.mark.parametrize("garbage", [b"\xff" * 100, b"\0" * 400, b"*1\r\n$4\r\nPING\r\n"])
def test_damage_in_the_middle_is_one_sentence_with_a_command_that_helps(data_dir: Path, garbage: bytes) -> None:
    commands = file_of(files_of(data_dir), "incr")
    overwrite(commands, 1_000, garbage)
    before = commands.read_bytes()

    with server_of(data_dir) as (store, process):
        reason = store.explain_exit(process.wait(10))

    assert reason is not None
    assert str(commands) in reason
    assert "\n" not in reason
    assert commands.read_bytes() == before
    command = reason.partition("before that: ")[2].partition(";")[0]
    assert os.system(command) == 0
    with running_store(data_dir) as redis:
        assert KEYS // 2 < redis.dbsize() < KEYS


@pytest.mark.parametrize("content", [None, b"", b"\0" * 88, b"file nothing\n", b"\xff\xfe"])
def test_a_lost_list_of_files_is_written_anew(data_dir: Path, content: bytes | None) -> None:
    manifest = file_of(files_of(data_dir), "manifest")
    manifest.unlink()
    if content is not None:
        manifest.write_bytes(content)

    with running_store(data_dir) as redis:
        assert redis.dbsize() == KEYS


def test_a_lost_list_of_files_that_cannot_be_told_apart_is_said(data_dir: Path) -> None:
    folder = files_of(data_dir)
    file_of(folder, "manifest").unlink()
    (folder / "appendonly.aof.7.base.rdb").write_bytes(b"VALKEY080")

    with pytest.raises(StartupError, match=r"appendonly\.aof\.manifest is missing or damaged"):
        append_only.check(data_dir / "store")


def remove(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("kind", "harm", "fault"),
    [("base", remove, "is missing"), ("incr", remove, "is missing"), ("base", empty, "is empty")],
)
def test_a_file_that_is_gone_or_empty_is_named_and_never_taken_for_an_empty_store(
    data_dir: Path, kind: str, harm: Callable[[Path], None], fault: str
) -> None:
    harmed = file_of(files_of(data_dir), kind)
    harm(harmed)

    with pytest.raises(StartupError, match=f"{harmed.name} {fault}.*mv '"), server_of(data_dir):
        pass


def half(path: Path) -> None:
    cut(path, path.stat().st_size // 2)


def spoil(path: Path) -> None:
    overwrite(path, path.stat().st_size // 2, b"\xff" * 10)


def newer(path: Path) -> None:
    overwrite(path, 0, b"VALKEY999")


def unknown_command(path: Path) -> None:
    append(path.parent / path.name.replace("base.rdb", "incr.aof"), b"*1\r\n$7\r\nTOMORRO\r\n")


@pytest.mark.parametrize(
    ("harm", "fault"),
    [
        (half, "cannot load its data"),
        (spoil, "cannot load its data"),
        (newer, "written by a newer Valkey"),
        (unknown_command, "written by a newer Valkey"),
    ],
)
def test_data_that_the_server_refuses_is_one_sentence(data_dir: Path, harm: Callable[[Path], None], fault: str) -> None:
    harm(file_of(files_of(data_dir), "base"))

    with server_of(data_dir) as (store, process):
        reason = store.explain_exit(process.wait(10))

    assert reason is not None
    assert fault in reason
    assert str(data_dir / "store") in reason
    assert "\n" not in reason


def test_a_server_that_was_killed_is_started_again_without_a_word(data_dir: Path) -> None:
    with server_of(data_dir) as (store, process):
        process.kill()
        assert store.explain_exit(process.wait()) is None


def test_nobody_else_can_read_what_the_store_writes(data_dir: Path) -> None:
    folder = files_of(data_dir)
    folder.chmod(0o755)
    file_of(folder, "incr").chmod(0o644)

    with preflight.exclusive_data_dir(data_dir), running_store(data_dir):
        pass

    open_to_others = [path for path in (data_dir, *(data_dir / "store").rglob("*")) if path.stat().st_mode & 0o077]
    assert not [path for path in open_to_others if path.name != "store.log"]
    assert data_dir.stat().st_mode & 0o777 == 0o700


def test_a_shared_folder_as_data_dir_is_not_closed_to_others_but_the_store_in_it_is(short_tmp: Path) -> None:
    short_tmp.chmod(0o755)
    (short_tmp / "somebody's file").touch()
    with preflight.exclusive_data_dir(short_tmp):
        preflight.private_dir(short_tmp / "store")

    assert short_tmp.stat().st_mode & 0o777 == 0o755
    assert (short_tmp / "store").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of another user")
def test_a_store_of_another_user_is_named_with_both_users(short_tmp: Path) -> None:
    short_tmp.chmod(0o777)
    store = short_tmp / "store"
    store.mkdir(mode=0o700)
    os.seteuid(NOBODY)
    try:
        with pytest.raises(StartupError, match=rf"store belongs to another user \(id 0\).*\(id {NOBODY}\)"):
            preflight.private_dir(store)
    finally:
        os.seteuid(0)


def test_a_temporary_folder_with_a_path_too_long_for_a_socket_is_said(short_tmp: Path) -> None:
    with pytest.raises(StartupError, match="set TMPDIR to a short path"):
        EmbeddedStore(Settings(data_dir=short_tmp), short_tmp / ("x" * 100))
