"""`GET /metrics`: this process, the queues and the workers, as Prometheus reads them."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

router = APIRouter()


# Not in the OpenAPI page: it is for a scraper, and docs/operations.md is its description.
@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Every metric of `docs/operations.md` that the API has."""
    await request.app.state.gauges.refresh()
    return Response(generate_latest(request.app.state.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
