"""The container's health check: `python -m api.health` exits with 0 when the API on this host answers `/health`.

It checks whether the process is alive, not whether it is ready: a restart would not help an API that has no worker.
"""

import http.client
import sys

from shared.errors import KobertError
from shared.settings import load_settings

TIMEOUT_S = 3
OK = 200


def check(port: int, path: str) -> str | None:
    """None if `path` answers with 200, else the reason."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"port {port} does not answer ({type(error).__name__})"
    finally:
        connection.close()
    return None if status == OK else f"{path} answered {status}"


def main(path: str = "/health") -> int:
    """Check, with settings from the environment; returns the exit code."""
    try:
        fault = check(load_settings().port, path)
    except KobertError as error:
        fault = error.message
    if fault is not None:
        sys.stderr.write(f"unhealthy: {fault}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
