"""Makes the system allow as many connections as the settings do: each is a file to it, and often it allows 1,024."""

import resource

from api.http.accepting import WAITING_SHARE
from shared.log import get_logger

log = get_logger(__name__)

# Files of the process itself: its listeners, connections to the store, temporary files of uploads and results.
OWN_FILES = 128


def allow_connections(wanted: int) -> int:
    """Raise the limit on open files as far as needed and allowed; returns how many connections fit.

    As many as `WAITING_SHARE` of these may be open besides, and wait for their turn.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + int(WAITING_SHARE * wanted) + OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    fitting = max(1, int((soft - OWN_FILES) / (1 + WAITING_SHARE)))
    log.warning("few_open_files", allowed=soft, max_connections=fitting, advice="raise ulimit -n")
    return fitting
