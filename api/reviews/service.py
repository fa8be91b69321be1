"""Review queues as the event loop sees them; decisions that contradict a verdict become corrections."""

import contextlib
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from api.access.principal import Principal
from api.corrections.service import CorrectionService
from api.feed.service import FeedService
from api.jobs.results import CLEAN, Selection
from api.jobs.service import JobService
from api.reviews.feeding import FeedIntake
from api.reviews.picking import Room, pick_items
from api.reviews.records import Decision, Order, ReviewHead, ReviewItem, is_review_id, new_review_id
from api.reviews.store import ReviewCounts, ReviewStore
from shared.corrections.records import NewCorrection
from shared.corrections.store import Added
from shared.errors import ConflictError, NotFoundError, OverloadedError
from shared.jobs.records import Job
from shared.settings import Settings


class ReviewService:
    """One per API process. Every method raises `StoreUnavailableError` when Redis does not answer."""

    def __init__(
        self,
        store: ReviewStore,
        jobs: JobService,
        corrections: CorrectionService,
        feed: FeedService,
        settings: Settings,
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._corrections = corrections
        self._is_fed = feed.writer is not None
        self._intake = FeedIntake(
            store,
            feed.store,
            settings.review_feed_ttl_s,
            settings.max_review_items,
            jobs.capacity.require_memory,
        )
        self._settings = settings
        self._run = jobs.run

    async def create(self, owner: str, job: Job, selection: Selection, order: Order, policy: str | None) -> ReviewHead:
        """A queue of the rows of an ended job that `selection` takes.

        Raises:
            ConflictError: the job has not ended, or no row matches.
            OverloadedError: the owner has as many queues as are allowed, the store is nearly full, or others are being
                made.
        """
        if not job.has_ended:
            raise ConflictError("the job has not ended; a queue is made of its results", code="results_not_ready")
        await self._require_room(owner)
        room = Room(self._settings.max_review_items, self._settings.max_review_chars)
        await self._jobs.require_memory(owner)
        with self._jobs.inputs.held(owner):
            items, left_out = await pick_items(self._jobs, job, selection, order, room)
        if not items:
            raise ConflictError("no row of the job matches, so there is nothing to review", code="nothing_to_review")
        head = ReviewHead(
            id=new_review_id(),
            job_id=job.id,
            file_name=job.spec.file_name,
            order=order,
            policy=policy,
            total=len(items),
            left_out=left_out,
            created_at=int(time.time()),
            expires_at=job.times["expires_at"],
        )
        await self._add(owner, head, items)
        return head

    async def create_fed(self, owner: str, selection: Selection, order: Order) -> ReviewHead:
        """A queue of the texts of the owner's live feed that `selection` takes, those that come later too.

        Raises:
            ConflictError: the feed is off.
            OverloadedError: as `create`.
        """
        if not self._is_fed:
            raise ConflictError("the live feed is off; the setting REVIEW_FEED_TEXTS turns it on", code="feed_is_off")
        await self._require_room(owner)
        await self._jobs.require_memory(owner)
        now = int(time.time())
        head = ReviewHead(
            id=new_review_id(),
            job_id=None,
            file_name=None,
            order=order,
            policy=None,
            total=0,
            left_out=0,
            created_at=now,
            expires_at=now + self._settings.review_feed_ttl_s,
            feed=selection,
        )
        await self._add(owner, head, [])
        return await self._refreshed(owner, head)

    async def heads(self, owner: str) -> list[ReviewHead]:
        """The owner's queues, newest first."""
        found: list[ReviewHead] = await self._run(self._store.heads, owner)
        return [await self._refreshed(owner, head) for head in found]

    async def get(self, owner: str, review_id: str) -> ReviewHead:
        """One queue.

        Raises:
            NotFoundError: the owner has none with this id.
        """
        found: ReviewHead | None = None
        if is_review_id(review_id):
            found = await self._run(self._store.head, owner, review_id)
        if found is None:
            raise NotFoundError("there is no such review queue; it may have expired with its job", param="review_id")
        return await self._refreshed(owner, found)

    async def delete(self, owner: str, review_id: str) -> None:
        """Delete a queue; corrections that came of it stay."""
        await self.get(owner, review_id)
        await self._run(self._store.remove, owner, review_id)

    async def lease(self, owner: str, head: ReviewHead, reviewer: str, count: int) -> list[ReviewItem]:
        """Up to `count` items that nobody else gets for REVIEW_LEASE_S: first those that the reviewer has already."""
        holder = (reviewer, int(time.time()), self._settings.review_lease_s)
        found: list[ReviewItem] = await self._run(self._store.lease, owner, head, holder, count)
        return found

    async def decide(self, principal: Principal, head: ReviewHead, item: int, decision: Decision) -> Decision:
        """Keep what a moderator decided of one item; returns it with the correction that it became.

        Raises:
            NotFoundError: the queue has no such item.
            ConflictError: it was decided, or another reviewer has it.
        """
        owner = principal.owner
        items: list[ReviewItem] = await self._run(self._store.items, owner, head, [item])
        if not items:
            raise NotFoundError(f"the queue has no item {item}", param="item")
        outcome = await self._run(self._store.decide, owner, head, item, decision)
        if outcome != "kept":
            why = "was decided already" if outcome == "decided" else "is with another reviewer"
            raise ConflictError(f"item {item} {why}", code=f"item_{outcome}")
        return await self._teach(principal, head, items[0], decision)

    async def undo(self, owner: str, head: ReviewHead, item: int, reviewer: str) -> ReviewItem:
        """Take a decision back, with the correction that it became; the reviewer has the item again.

        Raises:
            ConflictError: this reviewer has not decided this item.
            NotFoundError: it is gone from the live feed.
        """
        until = int(time.time()) + self._settings.review_lease_s
        decision: Decision | None = await self._run(self._store.undo, owner, head, item, reviewer, until)
        if decision is None:
            raise ConflictError(f"{reviewer} has decided no item {item} of this queue", code="item_undecided")
        if decision.correction_id is not None:
            # Somebody may have withdrawn it already.
            with contextlib.suppress(NotFoundError):
                await self._corrections.withdraw(decision.correction_id)
        items: list[ReviewItem] = await self._run(self._store.items, owner, head, [item])
        if not items:
            raise NotFoundError(f"the time of item {item} is over", param="item")
        return items[0]

    async def progress(self, owner: str, head: ReviewHead) -> dict[str, Any]:
        """The queue as its routes show it: what is open, what was decided, by whom, and how much since midnight UTC."""
        counts: ReviewCounts = await self._run(self._store.counts, owner, head.id, int(time.time()))
        return {
            **{name: value for name, value in msgspec.structs.asdict(head).items() if name != "feed"},
            "object": "review",
            "source": "job" if head.feed is None else "feed",
            **counts._asdict(),
        }

    async def decisions(self, owner: str, head: ReviewHead) -> dict[int, Decision]:
        """All decisions, by the number of their item."""
        found: dict[int, Decision] = await self._run(self._store.decisions, owner, head.id)
        return found

    async def items(self, owner: str, head: ReviewHead, numbers: list[int]) -> list[ReviewItem]:
        """Items by their numbers."""
        found: list[ReviewItem] = await self._run(self._store.items, owner, head, numbers)
        return found

    async def _require_room(self, owner: str) -> None:
        """Refuse early; what counts is the look of `_add`, since others may be made meanwhile."""
        if len(await self._run(self._store.heads, owner)) >= self._settings.max_reviews:
            raise self._no_room()

    async def _add(self, owner: str, head: ReviewHead, items: Sequence[ReviewItem]) -> None:
        if not await self._run(self._store.add, owner, head, items, self._settings.max_reviews):
            raise self._no_room()

    def _no_room(self) -> OverloadedError:
        return OverloadedError(
            f"there are {self._settings.max_reviews} review queues (MAX_REVIEWS); delete one first", retry_after_s=60
        )

    async def _refreshed(self, owner: str, head: ReviewHead) -> ReviewHead:
        if head.feed is None:
            return head
        now: ReviewHead = await self._run(self._intake.refresh, owner, head)
        return now

    async def _teach(self, principal: Principal, head: ReviewHead, item: ReviewItem, decision: Decision) -> Decision:
        """Make a correction of a decision that contradicts the verdict, where the key may."""
        should_be = _should_be(item, decision)
        if should_be is None or "policies" not in principal.scopes:
            return decision
        new = NewCorrection(
            text=item.text,
            classification=should_be,
            policy=head.policy if head.feed is None else item.policy,
            note=f"review of {head.file_name or head.job_id or 'the live feed'}",
            created_at=decision.decided_at,
            created_by=principal.key_id,
        )
        (added,) = await self._corrections.add([new])
        if not isinstance(added, Added):
            return decision  # corrections are full; the decision itself is kept
        taught = msgspec.structs.replace(decision, correction_id=added.correction.id)
        await self._run(self._store.note_correction, principal.owner, head.id, item.item, taught)
        return taught


def _should_be(item: ReviewItem, decision: Decision) -> str | None:
    """What the text should have been called, where the verdict said something else."""
    if decision.decision == "approve":
        return None if item.classification == CLEAN else CLEAN
    return decision.classification if decision.classification != item.classification else None
