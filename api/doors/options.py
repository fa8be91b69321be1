"""What a door's request may set about its verdicts besides what the door's own API has: as for `/predict`."""

from api.queue.judging import Judging
from shared.options import VerdictOptions, parse_verdict_options


def read_options(
    judging: Judging, strictness: object, thresholds: object, policy: object = None
) -> VerdictOptions | None:
    """The options, checked against policies and served models; None when nothing is set.

    Raises:
        MalformedRequestError, UnsupportedOptionError: as for `/predict`.
    """
    return judging.check_options(parse_verdict_options(strictness, thresholds), policy)
