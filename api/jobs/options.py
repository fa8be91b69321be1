"""Checks the options of an upload, all of them, before the first of its rows is stored."""

from collections.abc import Mapping
from typing import Any

from api.jobs.judging_rules import JudgingRules
from api.jobs.webhook_target import check_webhook_url
from api.uploads.options import UploadOptions, parse_options
from shared.settings import Settings


def check_options(fields: Mapping[str, Any], settings: Settings, rules: JudgingRules) -> UploadOptions:
    """The options of an upload, from strings (a query, a form) or JSON values, with every check that needs no row.

    Raises:
        MalformedRequestError: an option is unknown, has an impossible value, or is not allowed on this server.
    """
    options = parse_options(fields)
    if options.webhook_url is not None:
        check_webhook_url(options.webhook_url, settings)
    rules.resolve(options)
    return options
