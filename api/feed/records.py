"""What the feed keeps of one text."""

import msgspec

from shared.verdict import PolicyVersion

US = 1_000_000


class FedText(msgspec.Struct, frozen=True, omit_defaults=True):
    """A text with its verdict. `matches` has (list, term) of the entries of its policy that fired."""

    text: str
    classification: str
    confidence: float
    labels: list[str]
    scores: dict[str, float]
    policy: PolicyVersion | None = None
    matches: list[tuple[str, str]] = []


class FeedEntry(msgspec.Struct, frozen=True):
    """A kept text. `number` is when it came, in microseconds since 1970, and no two texts of an owner share one."""

    number: int
    fed: FedText

    @property
    def arrived_at(self) -> int:
        """Unix seconds."""
        return self.number // US
