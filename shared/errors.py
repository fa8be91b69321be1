"""Every error that the product raises on purpose, as one tree.

KobertError                     the base; has a machine-readable `code`
├── SettingsError               a setting has a value that cannot work
├── StartupError                a process cannot start: no disk, no store, a bad address
│   ├── UnfitSettingError       a part of the service ended because of a setting
│   ├── PortInUseError          another program listens on the port, now
│   └── ConverterMissingError   a model must be converted, and what converts it is not installed
├── ModelError                  anything about a model source or bundle
│   ├── ModelNotFoundError      the source named by MODEL is not there
│   ├── BundleInvalidError      a bundle is incomplete, altered or of an unknown format
│   ├── ModelSourceError        a checkpoint, pickle or repository that cannot become a bundle
│   └── HubUnreachableError     the Hugging Face Hub does not answer now
├── TextRejectedError           one text of a request is not classifiable; names the item
├── RequestError                a request as a whole is refused
│   ├── MalformedRequestError   not JSON, wrong fields
│   ├── UnsupportedOptionError  an option that the served model cannot follow
│   ├── UnsupportedMediaError   a content type that the route does not take
│   ├── UnauthorisedError       no API key, or an unknown one
│   ├── ForbiddenError          from a web page, under a host name or with a key that may not do this
│   ├── NotFoundError           it does not exist, or belongs to another owner
│   ├── ConflictError           not in the state that the request needs
│   │   └── PreconditionFailedError  not the version that the request names
│   ├── TooSlowError            the request did not come in time
│   ├── TooLargeError           more bytes, texts or rows than a limit allows
│   ├── LengthRequiredError     a key with a quota of bytes sends a body without its length
│   └── OverloadedError         more in flight than a limit allows; try again later
│       └── RateLimitedError    a key's quota, or an address's failed attempts, are used up for now
├── UnavailableError            the service cannot answer now
│   ├── StoreUnavailableError   Redis does not answer
│   ├── StoreFullError          Redis answers, and its memory is full
│   ├── StoreUnfitError         Redis answers, and is set up to lose what it takes
│   ├── DiskFullError           a disk has no room: the store's, or that of the API's temporary files
│   └── NoWorkerError           no live worker
├── ServiceRefusedError         what the command line asked of a running service was refused
├── DeadlineExceededError       accepted, but not answered in time
└── PredictionFailedError       the model raised on this one text
"""

from collections.abc import Mapping
from typing import Any

# EX_CONFIG of sysexits.h: tells the supervisor that a restart would not help.
EXIT_CONFIG = 78


class KobertError(Exception):
    """Base of the tree; `code` is for programs."""

    code = "internal_error"

    @property
    def message(self) -> str:
        """The sentence for people."""
        return str(self)


class SettingsError(KobertError):
    """Raised when a setting has a value that cannot work."""

    code = "invalid_setting"


class StartupError(KobertError):
    """Raised when a process cannot start; the message is shown to the user as it is."""

    code = "cannot_start"


class UnfitSettingError(StartupError):
    """Raised when a part of the service ended because of a setting, so that starting it again would not help."""

    code = "unfit_setting"


class PortInUseError(StartupError):
    """Raised when another program listens on the port; it may be free again later."""

    code = "port_in_use"


class ConverterMissingError(StartupError):
    """Raised when a model must be converted and `extra`, the optional part that converts it, is not installed."""

    code = "converter_missing"

    def __init__(self, message: str, *, extra: str) -> None:
        super().__init__(message)
        self.extra = extra


class ModelError(KobertError):
    """Base of everything about a model source or a bundle."""

    code = "model_error"


class ModelNotFoundError(ModelError):
    """Raised when the source that MODEL names is not there."""

    code = "model_not_found"


class BundleInvalidError(ModelError):
    """Raised when a bundle is incomplete, altered or of an unknown format."""

    code = "bundle_invalid"


class ModelSourceError(ModelError):
    """Raised when a checkpoint, a pickle or a repository cannot be turned into a bundle."""

    code = "model_source_invalid"


class HubUnreachableError(ModelError):
    """Raised when the Hugging Face Hub does not answer; models downloaded before can still be served."""

    code = "hub_unreachable"


class TextRejectedError(KobertError):
    """Raised when one text of a request cannot be classified.

    `param` names the item (`text`, `texts[3]`); `code` says why (`empty_text`, `not_a_string`, …).
    """

    def __init__(self, message: str, *, code: str, param: str) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class RequestError(KobertError):
    """Base of errors that refuse a whole request; `param` names the field at fault, if one is."""

    code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class MalformedRequestError(RequestError):
    """Raised when a body is not JSON or lacks a field."""


class UnsupportedOptionError(RequestError):
    """Raised when the served model lacks the strictness or the label that an option names."""

    code = "unsupported_option"


class UnsupportedMediaError(RequestError):
    """Raised when a route does not take this content type."""

    code = "unsupported_media_type"


class UnauthorisedError(RequestError):
    """Raised when API keys are set and a request has none of them."""

    code = "invalid_api_key"


class ForbiddenError(RequestError):
    """Raised when a web page of another site asks, under a foreign host name, or with a key that lacks a scope."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code


class NotFoundError(RequestError):
    """Raised when a resource does not exist or belongs to another owner."""

    code = "not_found"


class ConflictError(RequestError):
    """Raised when a resource is not in the state that the request needs; `code` says which."""

    def __init__(self, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.code = code


class PreconditionFailedError(ConflictError):
    """Raised when a resource has another version than If-Match or If-None-Match asks for."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="precondition_failed")


class TooLargeError(RequestError):
    """Raised when a request has more bytes, texts or rows than a limit allows."""

    code = "too_large"


class TooSlowError(RequestError):
    """Raised when a request comes more slowly than a limit allows."""

    code = "request_timeout"


class OverloadedError(RequestError):
    """Raised when more is in flight than a limit allows."""

    code = "overloaded"

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimitedError(OverloadedError):
    """Raised when a key has used up its quota, or an address has sent too many wrong keys; `code` says which."""

    def __init__(self, message: str, *, retry_after_s: int, code: str = "quota_exceeded") -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.code = code


class LengthRequiredError(RequestError):
    """Raised when a body must say its length before it is read."""

    code = "length_required"


class UnavailableError(KobertError):
    """Base of errors that mean the service cannot answer now."""

    code = "unavailable"
    retry_after_s = 2


class StoreUnavailableError(UnavailableError):
    """Raised when Redis does not answer."""

    code = "store_unavailable"


class StoreFullError(UnavailableError):
    """Raised when the store's memory is full."""

    code = "store_full"
    retry_after_s = 10


class StoreUnfitError(UnavailableError):
    """Raised when the store is set up so that it would lose what it takes; the message says what to set."""

    code = "store_unfit"
    retry_after_s = 60


class DiskFullError(UnavailableError):
    """Raised when a disk has no room: the store's, or that of the API's temporary files."""

    code = "disk_full"
    retry_after_s = 10


class NoWorkerError(UnavailableError):
    """Raised when no worker has a heartbeat."""

    code = "no_worker"


class ServiceRefusedError(KobertError):
    """Raised by the command line when a running service refuses; `status` is HTTP's, `param` the item at fault."""

    code = "refused"

    def __init__(
        self, message: str, *, status: int, details: Mapping[str, Any] | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = str((details or {}).get("code", self.code))
        self.param = str((details or {}).get("param") or "")
        self.retry_after_s = retry_after_s


class DeadlineExceededError(KobertError):
    """Raised when an accepted text was not answered before its deadline."""

    code = "deadline_exceeded"


class PredictionFailedError(KobertError):
    """Raised when the model fails on one text; the others of its batch are answered."""

    code = "prediction_failed"
