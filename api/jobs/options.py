"""Checks the options of an upload, all of them, before the first of its rows is stored."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from api.jobs.judging_rules import JudgingRules
from api.jobs.name_lookups import NameLookups
from api.jobs.webhook_signature import WebhookSecrets
from api.jobs.webhook_target import resolve_webhook
from api.uploads.options import UploadOptions, parse_options
from shared.errors import MalformedRequestError
from shared.options import VerdictOptions
from shared.settings import Settings


class OptionsCheck:
    """Every check of options that needs no row."""

    def __init__(self, settings: Settings, rules: JudgingRules, webhook_secrets: WebhookSecrets) -> None:
        self._settings = settings
        self._rules = rules
        self._webhook_secrets = webhook_secrets
        self._names = NameLookups()

    def check(self, owner: str, fields: Mapping[str, Any]) -> UploadOptions:
        """The options of an upload of `owner`, from strings (a query, a form) or JSON values.

        Raises:
            MalformedRequestError: an option is unknown, has an impossible value, or is not allowed on this server.
            OverloadedError: too many names of webhook receivers are being looked up.
        """
        options = parse_options(fields)
        if options.webhook_url is not None:
            self._check_webhook(owner, options.webhook_url)
        self._rules.resolve(options)
        return options

    def begin(self, options: UploadOptions) -> VerdictOptions | None:
        """What a job with these options is judged by from now on; None where the settings decide.

        Raises:
            MalformedRequestError, UnsupportedOptionError: it can no longer be, as its policy or the model changed.
        """
        return self._rules.begin(options)

    def _check_webhook(self, owner: str, url: str) -> None:
        """Refuse a URL to which no webhook could be delivered."""
        if self._webhook_secrets.of_owner(owner) is None:
            raise MalformedRequestError(
                "webhooks are off here: WEBHOOK_SECRET is not set, and the key has no secret to sign with",
                param="webhook_url",
            )
        resolve_webhook(url, self._settings, partial(self._names.look_up, owner))
