"""`/feed`: the last texts of `/predict` that your key sent, where the service keeps them."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response

from api.context import ContextDep
from api.feed.schemas import FeedCleared, FeedPage, FeedQuery, show_entry
from api.feed.service import FeedFilter
from api.http import schemas
from api.http.auth import CallerDep, OwnerDep

router = APIRouter(tags=["reviews"])


@router.get(
    "/feed",
    summary="The last texts of /predict",
    response_model=FeedPage,
    responses=schemas.error_replies(401, 403, 422, 503),
)
async def list_feed(owner: OwnerDep, context: ContextDep, query: Annotated[FeedQuery, Query()]) -> Response:
    """Only those of your own key, and only where `REVIEW_FEED_TEXTS` is set; gone after `REVIEW_FEED_TTL_S`.

    A request to `/predict` with the header `X-Review-Feed: off` is not kept.
    """
    feed = context.feed
    wanted = FeedFilter(query.policy, query.list, query.term, query.label)
    found, has_more = await feed.newest(owner, wanted, query.before, query.limit)
    content = {
        "object": "list",
        "enabled": feed.writer is not None,
        "max_texts": feed.max_texts,
        "ttl_s": feed.ttl_s,
        "data": [show_entry(entry) for entry in found],
        "has_more": has_more,
    }
    return Response(msgspec.json.encode(content), media_type="application/json")


@router.delete("/feed", summary="Forget the texts of your feed now", responses=schemas.error_replies(401, 403, 503))
async def clear_feed(caller: CallerDep, context: ContextDep) -> FeedCleared:
    """Rows that a review queue has taken already stay there; `DELETE /reviews/{review_id}` forgets these."""
    deleted = await context.feed.clear(caller.owner)
    await context.audit.note(caller, "feed.cleared", caller.owner)
    return FeedCleared(object="feed", deleted=deleted)
