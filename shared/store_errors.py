"""What a refusal of Redis means: the one place that reads the server's own words.

A server that refuses is not one that does not answer: whoever operates it must be told whether its disk is full, its
memory is full, or it is the wrong server.
"""

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from shared.errors import DiskFullError, StoreFullError, StoreUnavailableError, UnavailableError

# Refusals that a healthy server stops giving by itself: by their class, or by the word that they begin with.
_PASSING = (ClusterDownError, MasterDownError, OutOfMemoryError, ReadOnlyError, TryAgainError)
_PASSING_WORDS = ("BUSY ", "MISCONF", "NOREPLICAS")
# As the C library words ENOSPC, EDQUOT and EFBIG.
_NO_ROOM = ("no space left", "quota", "file too large")


def is_passing(error: BaseException) -> bool:
    """Whether the same command may succeed later: the connection broke, or the server refuses for now."""
    if isinstance(error, (RedisConnectionError, RedisTimeoutError)):
        return True
    return isinstance(error, _PASSING) or (
        isinstance(error, ResponseError) and _words_of(error).startswith(_PASSING_WORDS)
    )


def is_refusal(error: BaseException) -> bool:
    """Whether the server answered and refuses every write, rather than this one command."""
    cause = _cause_of(error)
    return isinstance(cause, ResponseError) and is_passing(cause)


def name_store_error(error: BaseException) -> UnavailableError:
    """The error of ours that says what is wrong with the store; `error` may wrap the server's own."""
    cause = _cause_of(error)
    if isinstance(cause, (AuthenticationError, AuthorizationError, NoPermissionError)):
        return StoreUnavailableError("Redis refuses this service's user or password; see REDIS_URL")
    if isinstance(cause, BusyLoadingError):
        return StoreUnavailableError("the store is loading its data; try again shortly")
    if isinstance(cause, ResponseError):
        return _name_refusal(cause, _words_of(cause))
    return StoreUnavailableError("Redis does not answer; try again shortly")


def _cause_of(error: BaseException) -> BaseException | None:
    """The server's own error, which kombu wraps."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, RedisError):
        cause = cause.__cause__ or cause.__context__
    return cause


def _words_of(error: BaseException) -> str:
    """The server's reply, without what redis-py puts before it in a pipeline."""
    words = str(error)
    _, sign, rest = words.partition("caused error: ")
    return (rest if sign else words).removeprefix("ERR ")


def _name_refusal(error: ResponseError, words: str) -> UnavailableError:
    if words.startswith("MISCONF"):
        reason = words.rpartition(": ")[2] if "AOF" in words else "its last snapshot failed"
        fault = f"the store cannot write to its disk ({reason}) and takes nothing until it can"
        if "AOF" in words and not any(sign in reason.lower() for sign in _NO_ROOM):
            return StoreUnavailableError(fault)
        return DiskFullError(f"{fault}: make room where it keeps its data; it goes on by itself")
    if isinstance(error, OutOfMemoryError):
        return StoreFullError("the store's memory is full (maxmemory); delete finished jobs, or wait until some expire")
    if isinstance(error, ReadOnlyError):
        return StoreUnavailableError("REDIS_URL names a read-only replica, which takes no writes; name its primary")
    if words.startswith("NOREPLICAS"):
        return StoreUnavailableError("the store has too few replicas (min-replicas-to-write) and takes nothing for now")
    return StoreUnavailableError("Redis refuses a command; the server's log has its reply")
