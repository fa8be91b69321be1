"""Policies from POLICIES_FILE, for people who keep their configuration in git: the file decides, and nobody else."""

import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from api.policies.store import PolicyStore
from shared.errors import KobertError, SettingsError
from shared.policies.parsing import FIELDS, parse_policy
from shared.policies.records import Policy, PolicyHead, is_policy_name, make_head, pack_policy

UPDATED_BY = "POLICIES_FILE"


class FilePolicies:
    """Puts the policies of the file into the store: all at the start, and later those that the store has lost."""

    def __init__(self, policies: Mapping[str, Policy]) -> None:
        self._policies = policies
        self._is_first = True

    async def store_missing(self, store: PolicyStore, known: Mapping[str, PolicyHead]) -> bool:
        """Store what is to be stored; returns whether anything was.

        Raises:
            RedisError, OSError: the store does not answer.
            ConflictError: there are too many policies.
        """
        missing = {name: policy for name, policy in self._policies.items() if self._is_first or name not in known}
        for name, policy in missing.items():
            packed = pack_policy(policy)
            head = make_head(policy, packed, updated_at=int(time.time()), updated_by=UPDATED_BY)
            await store.put(name, policy, msgspec.structs.replace(head, source="file"))
        gone = [name for name, head in known.items() if head.source == "file" and name not in self._policies]
        if self._is_first:
            for name in gone:
                await store.delete(name)
        was_first, self._is_first = self._is_first, False
        return bool(missing) or (was_first and bool(gone))


def read_policies_file(path: Path | None, max_entries: int) -> FilePolicies:
    """The policies in a TOML file; none where no file is set.

    Raises:
        SettingsError: the file cannot be read, or a policy in it cannot work; names the policy and the entry.
    """
    if path is None:
        return FilePolicies({})
    try:
        tables = tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"POLICIES_FILE={path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"POLICIES_FILE={path} is not TOML: {error}") from error
    return FilePolicies({name: _parse(path, name, table, max_entries) for name, table in tables.items()})


def _parse(path: Path, name: str, table: Any, max_entries: int) -> Policy:  # noqa: ANN401  whatever TOML holds
    where = f"POLICIES_FILE={path}: policy {name!r}"
    if not is_policy_name(name):
        raise SettingsError(f"{where} has a name that is none; use letters, digits, _ and -")
    if not isinstance(table, dict):
        raise SettingsError(f"{where} must be a table: [{name}]")
    unknown = next((field for field in table if field not in FIELDS), None)
    if unknown is not None:
        raise SettingsError(f"{where} has a field {unknown!r}; the fields are {', '.join(FIELDS)}")
    try:
        return parse_policy(table, max_entries)
    except KobertError as error:
        raise SettingsError(f"{where}: {error.message}") from error
