"""Review queues in Redis. Everything of a queue expires with the results it was made of."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from redis import Redis

from api.reviews.records import Decision, ReviewHead, ReviewItem
from shared import keys
from shared.lua_script import run_script

_HEAD = msgspec.json.Decoder(ReviewHead)
_ITEM = msgspec.json.Decoder(ReviewItem)
_DECISION = msgspec.json.Decoder(Decision)
_PARTS = ("", "items", "open", "leases", "holders", "decisions")
_WRITTEN_AT_ONCE = 500


class ReviewStore:
    """Thread-safe and blocking. Every method raises `redis.RedisError` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def add(self, owner: str, head: ReviewHead, items: Sequence[ReviewItem]) -> None:
        """Store a queue; it appears in the list of its owner when it is whole."""
        for start in range(0, len(items), _WRITTEN_AT_ONCE):
            part = items[start : start + _WRITTEN_AT_ONCE]
            with self._redis.pipeline() as pipe:
                pipe.hset(
                    _key(owner, head.id, "items"), mapping={str(one.item): msgspec.json.encode(one) for one in part}
                )
                pipe.zadd(_key(owner, head.id, "open"), {str(one.item): one.item for one in part})
                # Should this process end before the queue is whole, what there is of it goes with the rest.
                self._expire(pipe, owner, head)
                pipe.execute()
        with self._redis.pipeline() as pipe:
            pipe.set(_key(owner, head.id, ""), msgspec.json.encode(head))
            pipe.zadd(keys.reviews_of(owner), {head.id: head.created_at})
            pipe.expireat(keys.reviews_of(owner), head.expires_at)
            self._expire(pipe, owner, head)
            pipe.execute()

    def heads(self, owner: str) -> list[ReviewHead]:
        """The owner's queues, newest first."""
        listed: list[bytes] = self._redis.zrevrange(keys.reviews_of(owner), 0, -1)  # type: ignore[assignment]
        ids = [raw.decode() for raw in listed]
        found = self._redis.mget([_key(owner, one, "") for one in ids]) if ids else []
        gone = [one for one, raw in zip(ids, found, strict=True) if raw is None]
        if gone:
            self._redis.zrem(keys.reviews_of(owner), *gone)
        return [_HEAD.decode(raw) for raw in found if raw is not None]

    def head(self, owner: str, review_id: str) -> ReviewHead | None:
        """One queue; None if the owner has none with this id."""
        raw = self._redis.get(_key(owner, review_id, ""))
        return None if raw is None else _HEAD.decode(raw)

    def remove(self, owner: str, review_id: str) -> None:
        """Delete a queue with its decisions; corrections that came of them stay."""
        with self._redis.pipeline() as pipe:
            pipe.unlink(*(_key(owner, review_id, part) for part in _PARTS))
            pipe.zrem(keys.reviews_of(owner), review_id)
            pipe.execute()

    def lease(self, owner: str, head: ReviewHead, holder: tuple[str, int, int], count: int) -> list[ReviewItem]:
        """Up to `count` items for a holder: (reviewer, now, seconds of the lease)."""
        reviewer, now, lease_s = holder
        names = [_key(owner, head.id, part) for part in ("open", "leases", "holders")]
        numbers = run_script(self._redis, _script("lease"), names, [now, lease_s, reviewer, count])
        with self._redis.pipeline() as pipe:
            self._expire(pipe, owner, head)
            pipe.execute()
        return self.items(owner, head.id, [int(number) for number in numbers])

    def items(self, owner: str, review_id: str, numbers: Sequence[int]) -> list[ReviewItem]:
        """Items by their numbers."""
        if not numbers:
            return []
        found = self._redis.hmget(_key(owner, review_id, "items"), [str(number) for number in numbers])
        return [_ITEM.decode(raw) for raw in found if raw is not None]

    def decide(self, owner: str, head: ReviewHead, item: int, decision: Decision) -> str:
        """Keep a decision: `kept`; or `decided` or `held` where somebody else was there before."""
        names = [_key(owner, head.id, part) for part in ("open", "leases", "holders", "decisions")]
        args = [item, decision.decided_at, decision.reviewer, msgspec.json.encode(decision)]
        outcome: bytes = run_script(self._redis, _script("decide"), names, args)
        self._redis.expireat(names[-1], head.expires_at)
        return outcome.decode()

    def note_correction(self, owner: str, review_id: str, item: int, decision: Decision) -> None:
        """Keep which correction a decision became."""
        self._redis.hset(_key(owner, review_id, "decisions"), str(item), msgspec.json.encode(decision))

    def undo(self, owner: str, head: ReviewHead, item: int, reviewer: str, lease_until: int) -> Decision | None:
        """Take back a decision of this reviewer; None if there is none."""
        names = [_key(owner, head.id, part) for part in ("leases", "holders", "decisions")]
        raw = run_script(self._redis, _script("undo"), names, [item, lease_until, reviewer])
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

    def counts(self, owner: str, review_id: str, now: int) -> tuple[int, int]:
        """How many items are open, and how many are held by somebody now."""
        with self._redis.pipeline() as pipe:
            pipe.zcard(_key(owner, review_id, "open"))
            pipe.zcount(_key(owner, review_id, "leases"), "-inf", now)
            pipe.zcount(_key(owner, review_id, "leases"), f"({now}", "+inf")
            waiting, run_out, held = pipe.execute()
        return waiting + run_out, held

    def _expire(self, pipe: Any, owner: str, head: ReviewHead) -> None:  # noqa: ANN401  a pipeline
        for part in _PARTS:
            pipe.expireat(_key(owner, head.id, part), head.expires_at)


def _key(owner: str, review_id: str, part: str) -> str:
    return keys.review_part(owner, review_id, part)


@cache
def _script(name: str) -> str:
    return files("api.reviews").joinpath("lua", f"{name}.lua").read_text()
