"""Why a Redis cannot be used, from the exception of a first connection: one sentence that says what to do."""

import socket
import ssl
from urllib.parse import parse_qs, urlsplit

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from shared import redis_url


def explain(url: str, error: RedisError | OSError) -> str:
    """What is wrong with the server at `url`, which is named without its password."""
    return f"REDIS_URL={redis_url.redact(url)} {_reason(url, error)}"


def _reason(url: str, error: RedisError | OSError) -> str:
    if isinstance(error, AuthenticationError | NoPermissionError):
        return f"refuses the login ({error}); write user and password as redis://user:password@host:6379/0"
    if isinstance(error, ResponseError):
        return f"answers with an error ({error}); is it a Redis?"
    cause = _root_cause(error)
    if isinstance(cause, ssl.SSLError):
        return _tls_reason(cause)
    if isinstance(cause, socket.gaierror):
        return "has a host name that is not known here; check the spelling"
    return _connection_reason(url, cause)


def _connection_reason(url: str, cause: BaseException) -> str:
    speaks_tls = urlsplit(url).scheme == "rediss"
    if isinstance(cause, ConnectionResetError) and not speaks_tls:
        return "closes the connection at once; if it speaks TLS, write rediss:// instead of redis://"
    if isinstance(cause, TimeoutError) and speaks_tls:
        return "does not answer in time; if it does not speak TLS, write redis:// instead of rediss://"
    if isinstance(cause, FileNotFoundError | PermissionError) and speaks_tls:
        options = parse_qs(urlsplit(url).query).items()
        files = [file for name, values in options if name.startswith("ssl_") for file in values]
        return f"names {' or '.join(files)}, which cannot be read ({cause.strerror})"
    return f"does not answer ({_short(cause)}); start that server, or unset REDIS_URL to use the embedded one"


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"has a TLS certificate that is not trusted here ({error.verify_message.rstrip('.')}); name the "
            "certificate of its authority with ?ssl_ca_certs=/path/to/ca.pem at the end of REDIS_URL"
        )
    if error.reason == "WRONG_VERSION_NUMBER":
        return "does not speak TLS; write redis:// instead of rediss://"
    return f"and this machine do not agree on TLS ({error.reason or error}); check its certificate and its TLS versions"


def _root_cause(error: BaseException) -> BaseException:
    """The exception of the socket below those of the library."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _short(error: BaseException) -> str:
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__
