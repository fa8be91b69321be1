"""What is kept of an API key: its name, what it may do and how much, and a digest of its secret, never the secret.

A secret is `kbt_` and 40 random letters and digits, 238 bits. Nobody guesses that, so one SHA-256 is enough: slow
hashes (bcrypt, Argon2) protect secrets that people choose, and would cost every request milliseconds.
"""

import base64
import hashlib
import secrets
import string
from typing import Literal, get_args

import msgspec

Scope = Literal["predict", "jobs", "policies", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

SECRET_PREFIX = "kbt_"  # noqa: S105  what each secret begins with, so that scanners of repositories find one
SECRET_CHARS = 40
# Shown by `kobert keys list`: the prefix and four characters, which leave 214 bits.
HINT_CHARS = len(SECRET_PREFIX) + 4
_ALPHABET = string.ascii_letters + string.digits


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much a key may do, over all API processes together; None: no limit of its own."""

    requests_per_minute: int | None = None
    texts_per_minute: int | None = None
    bytes_per_day: int | None = None
    open_jobs: int | None = None


NO_LIMITS = KeyLimits()


class Secret(msgspec.Struct, frozen=True):
    """One secret of a key. After a rotation the old one lives until `expires_at` (Unix seconds)."""

    digest: str
    hint: str
    expires_at: int | None = None


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One key. `id` never changes, so that its jobs stay its own when the secret does. Times are Unix seconds."""

    id: str
    name: str
    scopes: tuple[Scope, ...]
    secrets: tuple[Secret, ...]
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    limits: KeyLimits = NO_LIMITS
    webhook_secret: str | None = None
    version: int = 1

    def is_valid(self, now: float) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked_at is None and not has_passed(self.expires_at, now)


def has_passed(moment: int | None, now: float) -> bool:
    """Whether an expiry, None for never, lies behind `now`."""
    return moment is not None and moment <= now


def new_key_id() -> str:
    """A name for programs and logs that says nothing of the secret."""
    return f"key_{secrets.token_hex(6)}"


def new_secret() -> str:
    """A secret to be shown once."""
    return SECRET_PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(SECRET_CHARS))


def new_webhook_secret() -> str:
    """A secret to sign webhooks with, as Standard Webhooks writes one."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def digest_of(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
