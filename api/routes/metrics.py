"""`GET /metrics`: this process, the queues and the workers, as Prometheus reads them."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.metrics.counters import ApiMetrics

router = APIRouter()


# Not in the OpenAPI page: it is for a scraper, and docs/operations.md is its description.
@router.head("/metrics", include_in_schema=False)
@router.get("/metrics", include_in_schema=False)
async def show_metrics(request: Request) -> Response:
    """Every metric of `docs/operations.md` that the API has."""
    metrics: ApiMetrics = request.app.state.metrics
    return Response(await metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST})
