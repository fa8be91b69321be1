import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.access.keyring import Keyring
from api.access.keys_file import SETTLED_S, KeysFile, parse_keys
from api.keys import keys
from shared.access.records import digest_of
from shared.errors import SettingsError, UnauthorisedError

OWNER = "file_board1"


def table(name: str = "board1", secret: str = "secret-1", more: str = "") -> str:
    return f'[{name}]\nsha256 = "{digest_of(secret)}"\n{more}\n'


def write(path: Path, text: str, age_s: float = 60) -> None:
    path.write_text(text)
    os.utime(path, (time.time() - age_s, time.time() - age_s))


def test_a_key_has_what_its_table_says() -> None:
    (record,) = parse_keys(
        "f", table(more='scopes = ["jobs", "predict"]\nexpires = 2100-01-01\ntexts_per_minute = 600')
    )

    assert (record.id, record.name, record.scopes) == (OWNER, "board1", ("predict", "jobs"))
    assert record.limits.texts_per_minute == 600
    assert record.expires_at is not None
    assert record.expires_at > time.time()
    assert [secret.digest for secret in record.secrets] == [digest_of("secret-1")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[board1]", "needs sha256"),
        ('[board1]\nsha256 = "secret-1"', "not 64 hexadecimal digits"),
        ("[board1]\nsha256 = []", "needs sha256"),
        (table(secret=""), "an empty secret"),
        (table(more="scopes = []"), "scopes is a list"),
        (table(more='scopes = ["everything"]'), "scopes is a list"),
        (table(more='expires = "2100-01-01"'), "without quotes"),
        (table(more="open_jobs = 0"), "a whole number from 1"),
        (table(more="open_jobs = true"), "a whole number from 1"),
        (table(more="limit = 3"), "a field 'limit'"),
        (table(more='webhook_secret = ""'), "webhook_secret"),
        (table("'a b'"), "a name that is none"),
        ("board1 = 3", "must be a table"),
        (table() + table("board2"), "the same secret"),
        (table() + table(), "is not TOML"),
        ("[", "is not TOML"),
    ],
)
def test_a_table_that_cannot_work_is_named_without_its_digest(text: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_keys("KEYS_FILE=k.toml", text)

    assert words in caught.value.message
    assert "KEYS_FILE=k.toml" in caught.value.message
    assert digest_of("secret-1") not in caught.value.message


def test_an_unchanged_file_is_read_once(tmp_path: Path) -> None:
    write(path := tmp_path / "keys.toml", table())
    file = KeysFile(path)

    assert [record.name for record in file.changed() or []] == ["board1"]
    assert file.changed() is None
    write(path, table("board2"), age_s=30)
    assert [record.name for record in file.changed() or []] == ["board2"]


def test_a_file_that_was_just_written_is_read_again(tmp_path: Path) -> None:
    """An editor may be in its middle, and a second change within one tick of the clock looks like none."""
    write(path := tmp_path / "keys.toml", table(), age_s=0)
    file = KeysFile(path)
    assert file.changed()
    then = path.stat()
    path.write_text(table(secret="secret-2"))
    os.utime(path, ns=(then.st_mtime_ns, then.st_mtime_ns))

    (record,) = file.changed() or []
    assert record.secrets[0].digest == digest_of("secret-2")
    assert SETTLED_S > 1


def test_a_file_that_is_gone_and_comes_back_is_read(tmp_path: Path) -> None:
    write(path := tmp_path / "keys.toml", table())
    file = KeysFile(path)
    file.changed()
    path.rename(tmp_path / "other")
    with pytest.raises(SettingsError, match="cannot be read"):
        file.changed()
    (tmp_path / "other").rename(path)

    assert file.changed()


def test_a_key_that_is_gone_from_the_file_is_revoked_and_the_service_stays_closed() -> None:
    keyring = Keyring()
    keyring.load([])
    keyring.load_file(parse_keys("f", table() + table("board2", "secret-2")))
    principal = keyring.find("secret-1")
    assert principal is not None
    assert (principal.owner, principal.is_chosen, keyring.has_several_owners) == (OWNER, True, True)
    keyring.require_valid(OWNER)

    keyring.load_file(parse_keys("f", table("board2", "secret-2")))
    assert keyring.find("secret-1") is None
    assert keyring.find("secret-2") is not None
    with pytest.raises(UnauthorisedError):
        keyring.require_valid(OWNER)

    keyring.load_file([])
    assert (keyring.find("secret-2"), keyring.is_open) == (None, False)
    keyring.load_file(parse_keys("f", table(secret="secret-3")))
    keyring.require_valid(OWNER)
    assert keyring.find("secret-3") is not None


def test_the_store_and_the_file_do_not_replace_each_others_keys() -> None:
    keyring = Keyring(["plain"])
    keyring.load_file(parse_keys("f", table()))
    keyring.load([])

    assert keyring.find("secret-1") is not None
    assert keyring.find("plain") is not None


def test_two_digests_let_both_secrets_work() -> None:
    keyring = Keyring()
    text = f'[board1]\nsha256 = ["{digest_of("new")}", "{digest_of("old").upper()}"]\n'
    keyring.load_file(parse_keys("f", text))

    assert {keyring.find(secret).owner for secret in ("new", "old")} == {OWNER}  # type: ignore[union-attr]


def test_the_command_writes_a_table_that_opens_the_service() -> None:
    words = ["table", "board1", "--scope", "jobs", "--expires", "90d", "--open-jobs", "3"]
    done = CliRunner().invoke(keys, words, catch_exceptions=False)
    secret = done.stderr.split()[-1]

    keyring = Keyring()
    keyring.load_file(parse_keys("f", done.stdout))
    principal = keyring.find(secret)
    assert principal is not None
    assert (principal.scopes, principal.limits.open_jobs) == (frozenset({"jobs"}), 3)
    assert secret not in done.stdout
