"""What the client raises.

KobertClientError       the base
├── ApiError            the service refused
└── UnreachableError    the service could not be reached
"""


class KobertClientError(Exception):
    """Base of everything that the client raises."""


class ApiError(KobertClientError):
    """Raised when the service refuses; `code` and `param` are those of its error object."""

    def __init__(self, status: int, code: str, message: str, param: str | None, request_id: str | None) -> None:
        super().__init__(f"{message} ({status}, {code}, request {request_id})")
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.request_id = request_id


class UnreachableError(KobertClientError):
    """Raised when the service could not be reached after all retries."""
