"""A policy: the rules of one board, and what the store knows of each version of them."""

import hashlib
import re
from typing import Literal

import msgspec

from shared.options import Level, PolicyRef

MatchBy = Literal["word", "part"]
# The label of a denied term that names none.
DENIED = "denied"
MAX_NAME_CHARS = 64
_NAME = re.compile(rf"[\w-][\w.-]{{0,{MAX_NAME_CHARS - 1}}}")


class DeniedTerm(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A term that makes `label` count: as a word, with Korean endings, or as any part of one."""

    term: str
    label: str = DENIED
    match: MatchBy = "word"


class AllowedTerm(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A term that no denied term inside it counts against, and that the model does not read."""

    term: str
    match: MatchBy = "part"


class MaskRules(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a masked copy is made where the caller says nothing: of which labels (None: all), and with what."""

    labels: tuple[str, ...] | None = None
    char: str = "*"
    keep_first: bool = False


class Policy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rules. `strictness` is None where the settings decide; `labels` are those that may count, None for all."""

    strictness: Level | None = None
    thresholds: dict[str, float] = {}
    labels: tuple[str, ...] | None = None
    deny: tuple[DeniedTerm, ...] = ()
    allow: tuple[AllowedTerm, ...] = ()
    mask: MaskRules | None = None

    @property
    def entries(self) -> int:
        """How many terms it has."""
        return len(self.deny) + len(self.allow)


class PolicyHead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the API keeps at hand of a policy: all but its lists.

    `own_labels` are those of denied terms. Times are Unix seconds; `source` is `file` for a policy of POLICIES_FILE,
    which nobody else may change.
    """

    version: int = 0
    created_at: int = 0
    updated_at: int
    updated_by: str
    source: Literal["api", "file"] = "api"
    digest: str
    deny: int = 0
    allow: int = 0
    own_labels: tuple[str, ...] = ()
    strictness: Level | None = None
    thresholds: dict[str, float] = {}
    labels: tuple[str, ...] | None = None
    mask: MaskRules | None = None

    def ref(self, name: str) -> PolicyRef:
        """What travels to the workers."""
        return PolicyRef(name, self.version, self.digest)


def is_policy_name(text: str) -> bool:
    """Whether a policy may be called so: letters of any language, digits, `_`, `-` and, not at first, a dot."""
    return _NAME.fullmatch(text) is not None


def pack_policy(policy: Policy) -> bytes:
    """The rules as they are stored."""
    return msgspec.json.encode(policy)


def digest_of(packed: bytes) -> str:
    """Names the rules by what they say."""
    return hashlib.sha256(packed).hexdigest()[:16]


def make_head(policy: Policy, packed: bytes, *, updated_at: int, updated_by: str) -> PolicyHead:
    """The head of rules that are about to be stored; the store gives it its version."""
    return PolicyHead(
        updated_at=updated_at,
        updated_by=updated_by,
        digest=digest_of(packed),
        deny=len(policy.deny),
        allow=len(policy.allow),
        own_labels=tuple(sorted({entry.label for entry in policy.deny})),
        strictness=policy.strictness,
        thresholds=policy.thresholds,
        labels=policy.labels,
        mask=policy.mask,
    )
