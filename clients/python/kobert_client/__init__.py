"""Client of kobert-classifier. `Client` blocks, `AsyncClient` is awaited; both have the same methods."""

from kobert_client.clients import AsyncClient, Client
from kobert_client.errors import ApiError, KobertClientError, UnreachableError
from kobert_client.replies import Failure, Job, Prediction

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "Failure",
    "Job",
    "KobertClientError",
    "Prediction",
    "UnreachableError",
]
