"""What a job is judged by: its own options, and the version of the policy that it names, kept for it until its end."""

from collections.abc import Callable

from api.policies.book import PolicyBook
from api.policies.store import no_policy
from api.uploads.options import UploadOptions
from shared.errors import MalformedRequestError
from shared.options import VerdictOptions
from shared.policies.rules_store import RulesStore

# Beyond the longest time that a job may take: an upload is not a job yet.
SPARE_S = 24 * 3600


class JudgingRules:
    """Thread-safe and blocking. `check` raises UnsupportedOptionError where a served model cannot follow options."""

    def __init__(
        self, policies: PolicyBook, store: RulesStore, check: Callable[[VerdictOptions], None], max_job_age_s: int
    ) -> None:
        self._policies = policies
        self._store = store
        self._check = check
        self._kept_s = max_job_age_s + SPARE_S

    def resolve(self, options: UploadOptions) -> VerdictOptions | None:
        """What rows would be judged by now; None where the settings decide.

        Raises:
            MalformedRequestError: an option has an impossible value, or there is no such policy.
            UnsupportedOptionError: a model that is served cannot follow it.
        """
        verdict = options.verdict
        if options.policy is not None:
            verdict = self._policies.apply(options.policy, verdict)
        if verdict is not None:
            self._check(verdict)
        return verdict

    def begin(self, options: UploadOptions) -> VerdictOptions | None:
        """The same for a job that begins: whatever becomes of its policy, the job keeps this version.

        Raises:
            MalformedRequestError, UnsupportedOptionError: as `resolve`.
            RedisError: the store does not answer.
        """
        verdict = self.resolve(options)
        if verdict is not None and verdict.policy is not None and not self._store.pin(verdict.policy, self._kept_s):
            raise MalformedRequestError(no_policy(verdict.policy.name).message, param="policy")
        return verdict
