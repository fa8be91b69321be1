"""Checks the options of an upload, all of them, before the first of its rows is stored."""

from collections.abc import Callable, Mapping
from typing import Any

from api.jobs.webhook_target import check_webhook_url
from api.uploads.options import UploadOptions, parse_options
from shared.options import VerdictOptions
from shared.settings import Settings

VerdictOptionsCheck = Callable[[VerdictOptions], None]


def check_options(
    fields: Mapping[str, Any], settings: Settings, check_verdict_options: VerdictOptionsCheck
) -> UploadOptions:
    """The options of an upload, from strings (a query, a form) or JSON values, with every check that needs no row.

    Raises:
        MalformedRequestError: an option is unknown, has an impossible value, or is not allowed on this server.
    """
    options = parse_options(fields)
    if options.webhook_url is not None:
        check_webhook_url(options.webhook_url, settings)
    if options.verdict is not None:
        check_verdict_options(options.verdict)
    return options
