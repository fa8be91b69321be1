"""Review queues in Redis. Everything of a queue expires with the results it was made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from redis import Redis

from api.reviews.records import Decision, ReviewHead, ReviewItem
from shared import keys
from shared.lua_script import run_script, scripts_of
from shared.usage.scripts import FUNCTIONS, source_of

_SCRIPTS = scripts_of("api.reviews")
_HEAD = msgspec.json.Decoder(ReviewHead)
_ITEM = msgspec.json.Decoder(ReviewItem)
_DECISION = msgspec.json.Decoder(Decision)
# Those after the decisions are of queues that are fed. Their items are keys of their own, which end with their texts.
_PARTS = ("", "items", "open", "leases", "holders", "decisions", "tally", "names", "ranks", "seen", "state", "sizes")
_COUNTED = ("tally", "names")
DAY_S = 24 * 3600
# Estimated overhead in the store: of a queue, of an item (its lease and decision included), and of one of the
# feed, which is a key of its own.
QUEUE_BYTES, ITEM_BYTES, FED_ITEM_BYTES = 2_000, 300, 500
_WRITTEN_AT_ONCE = 500
# How long items are kept of a queue that is not whole yet.
UNFINISHED_S = 600


@dataclass(frozen=True)
class Ranked:
    """A text of the live feed for a queue: its place (the lowest rank comes first), and when it is forgotten."""

    item: ReviewItem
    rank: float
    expires_at: int


class ReviewCounts(NamedTuple):
    """How many items of a queue are open, how many somebody holds, and how many were decided: today, and by whom."""

    open: int
    held: int
    approved: int
    rejected: int
    decided_today: int
    reviewers: dict[str, int]


class ReviewStore:
    """Thread-safe and blocking. Every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def add(self, owner: str, head: ReviewHead, items: Sequence[ReviewItem], most: int) -> bool:
        """Store a queue; it appears in the list of its owner when it is whole.

        False, and nothing is kept, where the owner has `most` of them.
        """
        stored_bytes = 0
        for start in range(0, len(items), _WRITTEN_AT_ONCE):
            part = items[start : start + _WRITTEN_AT_ONCE]
            encoded: dict[Any, Any] = {str(one.item): msgspec.json.encode(one) for one in part}
            stored_bytes += sum(map(len, encoded.values())) + ITEM_BYTES * len(part)
            with self._redis.pipeline() as pipe:
                pipe.hset(_key(owner, head.id, "items"), mapping=encoded)
                pipe.zadd(_key(owner, head.id, "open"), {str(one.item): one.item for one in part})
                # If this process ends before the queue is complete, its parts expire soon: they are not counted.
                for name in ("items", "open"):
                    pipe.expire(_key(owner, head.id, name), UNFINISHED_S)
                pipe.execute()
        # Once more, where another queue has come or gone meanwhile.
        size = QUEUE_BYTES + stored_bytes
        done = self._redis.transaction(lambda pipe: self._list(pipe, owner, head, most, size), keys.reviews_of(owner))
        if not done:
            self.remove(owner, head.id)
        return bool(done)

    def _list(self, pipe: Any, owner: str, head: ReviewHead, most: int, size: int) -> None:  # noqa: ANN401  a pipeline
        """Let the transaction list and count a queue, unless there are enough."""
        if len(_heads(pipe, owner)) >= most:
            return
        pipe.multi()
        pipe.eval(source_of("begin"), 0, owner, _key(owner, head.id, ""), size, head.expires_at)
        pipe.set(_key(owner, head.id, ""), msgspec.json.encode(head))
        pipe.zadd(keys.reviews_of(owner), {head.id: head.created_at})
        self._expire(pipe, owner, head)

    def top_up(
        self, owner: str, head: ReviewHead, cursor: tuple[int, int], ranked: Sequence[Ranked], bounds: tuple[int, int]
    ) -> bool:
        """Add texts of the feed, and drop those before number `bounds[0]`, and the last beyond `bounds[1]` open ones.

        `cursor` is the number up to which the feed was read before, and is read now. False, and nothing is added, where
        another process has read it since.
        """
        parts = ("open", "leases", "holders", "decisions", "ranks", "seen", "state", *_COUNTED, "sizes")
        counted = [owner, _key(owner, head.id, ""), head.expires_at, FED_ITEM_BYTES]
        args: list[Any] = [_key(owner, head.id, "item:"), *bounds, *cursor, *counted]
        for one in ranked:
            args += [one.item.item, one.rank, one.expires_at, msgspec.json.encode(one.item)]
        names = [_key(owner, head.id, part) for part in parts]
        is_added = run_script(self._redis, FUNCTIONS + _counting("top_up"), names, args)
        with self._redis.pipeline() as pipe:
            self._expire(pipe, owner, head)
            pipe.execute()
        return bool(is_added)

    def feed_state(self, owner: str, review_id: str) -> tuple[int, int, int]:
        """Up to which number a queue has read the feed, how many texts had no room, and how many it has."""
        with self._redis.pipeline() as pipe:
            pipe.hmget(_key(owner, review_id, "state"), ["cursor", "left_out"])
            pipe.zcard(_key(owner, review_id, "seen"))
            (cursor, left_out), total = pipe.execute()
        return int(cursor or 0), int(left_out or 0), int(total)

    def heads(self, owner: str) -> list[ReviewHead]:
        """The owner's queues, newest first."""
        return _heads(self._redis, owner)

    def head(self, owner: str, review_id: str) -> ReviewHead | None:
        """One queue; None if the owner has none with this id."""
        raw = self._redis.get(_key(owner, review_id, ""))
        return None if raw is None else _HEAD.decode(raw)

    def remove(self, owner: str, review_id: str) -> None:
        """Delete a queue with its decisions; corrections that came of them stay."""
        fed: list[bytes] = self._redis.zrange(_key(owner, review_id, "seen"), 0, -1)  # type: ignore[assignment]
        with self._redis.pipeline() as pipe:
            for start in range(0, len(fed), _WRITTEN_AT_ONCE):
                part = fed[start : start + _WRITTEN_AT_ONCE]
                pipe.unlink(*(_key(owner, review_id, f"item:{number.decode()}") for number in part))
            pipe.unlink(*(_key(owner, review_id, part) for part in _PARTS))
            pipe.zrem(keys.reviews_of(owner), review_id)
            pipe.eval(source_of("end"), 0, owner, _key(owner, review_id, ""))
            pipe.execute()

    def lease(self, owner: str, head: ReviewHead, holder: tuple[str, int, int], count: int) -> list[ReviewItem]:
        """Up to `count` items for a holder: (reviewer, now, seconds of the lease)."""
        reviewer, now, lease_s = holder
        names = [_key(owner, head.id, part) for part in ("open", "leases", "holders", "ranks")]
        numbers = run_script(self._redis, _SCRIPTS["lease"], names, [now, lease_s, reviewer, count])
        with self._redis.pipeline() as pipe:
            self._expire(pipe, owner, head)
            pipe.execute()
        return self.items(owner, head, [int(number) for number in numbers])

    def items(self, owner: str, head: ReviewHead, numbers: Sequence[int]) -> list[ReviewItem]:
        """Items by their numbers; of the live feed those whose time is not over."""
        if not numbers:
            return []
        if head.feed is not None:
            found = self._redis.mget([_key(owner, head.id, f"item:{number}") for number in numbers])
        else:
            found = self._redis.hmget(_key(owner, head.id, "items"), [str(number) for number in numbers])
        return [_ITEM.decode(raw) for raw in found if raw is not None]

    def decide(self, owner: str, head: ReviewHead, item: int, decision: Decision) -> str:
        """Keep a decision: `kept`; or `decided` or `held` where somebody else was there before."""
        names = [_key(owner, head.id, part) for part in ("open", "leases", "holders", "decisions", *_COUNTED)]
        args = [item, decision.decided_at, decision.reviewer, msgspec.json.encode(decision)]
        outcome: bytes = run_script(self._redis, _counting("decide"), names, args)
        with self._redis.pipeline() as pipe:
            for part in ("decisions", *_COUNTED):
                pipe.expireat(_key(owner, head.id, part), head.expires_at)
            pipe.execute()
        return outcome.decode()

    def note_correction(self, owner: str, review_id: str, item: int, decision: Decision) -> None:
        """Keep which correction a decision became."""
        self._redis.hset(_key(owner, review_id, "decisions"), str(item), msgspec.json.encode(decision))

    def undo(self, owner: str, head: ReviewHead, item: int, reviewer: str, lease_until: int) -> Decision | None:
        """Take back a decision of this reviewer; None if there is none."""
        names = [_key(owner, head.id, part) for part in ("leases", "holders", "decisions", *_COUNTED)]
        raw = run_script(self._redis, _counting("undo"), names, [item, lease_until, reviewer])
        with self._redis.pipeline() as pipe:
            self._expire(pipe, owner, head)
            pipe.execute()
        return None if raw is None else _DECISION.decode(raw)

    def decisions(self, owner: str, review_id: str) -> dict[int, Decision]:
        """All decisions, by the number of their item."""
        found = self._redis.hgetall(_key(owner, review_id, "decisions"))
        return {
            int(number): _DECISION.decode(raw) for number, raw in sorted(found.items(), key=lambda pair: int(pair[0]))
        }

    def counts(self, owner: str, review_id: str, now: int) -> ReviewCounts:
        """How the queue stands at Unix time `now`. No decision is read for it."""
        with self._redis.pipeline() as pipe:
            pipe.zcard(_key(owner, review_id, "open"))
            pipe.zcount(_key(owner, review_id, "leases"), "-inf", now)
            pipe.zcount(_key(owner, review_id, "leases"), f"({now}", "+inf")
            waiting, run_out, held = pipe.execute()
        names = [_key(owner, review_id, part) for part in (*_COUNTED, "decisions")]
        approved, rejected, today, by = run_script(self._redis, _counting("progress"), names, [now // DAY_S])
        reviewers = {name.decode(): int(count) for name, count in zip(by[::2], by[1::2], strict=True)}
        return ReviewCounts(waiting + run_out, held, approved, rejected, today, reviewers)

    def _expire(self, pipe: Any, owner: str, head: ReviewHead) -> None:  # noqa: ANN401  a pipeline
        for part in _PARTS:
            pipe.expireat(_key(owner, head.id, part), head.expires_at)
        # The list lasts as long as the queue that lasts longest.
        pipe.expireat(keys.reviews_of(owner), head.expires_at, nx=True)
        pipe.expireat(keys.reviews_of(owner), head.expires_at, gt=True)


def _heads(redis: Redis, owner: str) -> list[ReviewHead]:
    listed: list[bytes] = redis.zrevrange(keys.reviews_of(owner), 0, -1)  # type: ignore[assignment]
    ids = [raw.decode() for raw in listed]
    found = redis.mget([_key(owner, one, "") for one in ids]) if ids else []
    gone = [one for one, raw in zip(ids, found, strict=True) if raw is None]
    if gone:
        redis.zrem(keys.reviews_of(owner), *gone)
    return [_HEAD.decode(raw) for raw in found if raw is not None]


def _key(owner: str, review_id: str, part: str) -> str:
    return keys.review_part(owner, review_id, part)


def _counting(name: str) -> str:
    """A script that counts decisions."""
    return _SCRIPTS["counting"] + _SCRIPTS[name]
