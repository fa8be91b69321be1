"""Judges the texts of a request: checks each, asks the workers, and notes what came out.

Every route that answers at once uses it.
"""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from api.access.quotas import Quotas
from api.http import errors, timing
from api.http.request_record import RequestRecord, current_record
from api.http.texts import check_text
from api.http.timing import Stopwatch, Timing
from api.policies.book import PolicyBook
from api.queue.dispatcher import Dispatcher
from api.queue.fleet import Fleet
from shared.errors import KobertError, TextRejectedError
from shared.messages import Answer, ModelInfo
from shared.options import PolicyRef, VerdictOptions
from shared.settings import Settings
from shared.verdict import Failure, PolicyVersion, Verdict

HEADERS = (*timing.HEADERS, "x-model-revision", "x-policy")
_LINES = "".join(f"{name}: %s\r\n" for name in HEADERS)


class Item(msgspec.Struct, frozen=True):
    """One thing sent as a text: what it is, and what to call it in an error (`text`, `texts[3]`)."""

    value: object
    name: str


class Judged(msgspec.Struct, frozen=True):
    """A verdict or an error for each item, in their order, the time that it took, and by what they were judged.

    `revisions` are those of the models that are served: one, or two while they change.
    """

    outcomes: list[Verdict | KobertError]
    timing: Timing
    revisions: str
    policy: PolicyRef | None

    def headers(self) -> dict[str, str]:
        """What every answer says of itself: the stages in milliseconds, the model's revision and the policy."""
        return dict(zip(HEADERS, self._header_values(), strict=True))

    def header_lines(self) -> str:
        """The same as lines of an answer."""
        return _LINES % self._header_values()

    def _header_values(self) -> tuple[str, ...]:
        policy = "none" if self.policy is None else f"{quote(self.policy.name)}@{self.policy.version}"
        return (*self.timing.header_values(), self.revisions, policy)

    def note(self, record: RequestRecord) -> None:
        """Tell the request's record, for its log line and the metrics."""
        record.timing = self.timing
        record.classifications = [outcome.classification for outcome in self.outcomes if isinstance(outcome, Verdict)]
        record.text_errors = [outcome.code for outcome in self.outcomes if isinstance(outcome, KobertError)]


class Judging:
    """One per API process. The same text with the same options gets the same verdict, whichever route it came by."""

    def __init__(
        self, settings: Settings, dispatcher: Dispatcher, fleet: Fleet, quotas: Quotas, policies: PolicyBook
    ) -> None:
        self._quotas = quotas
        self._settings = settings
        self._dispatcher = dispatcher
        self._fleet = fleet
        self._policies = policies

    @property
    def model(self) -> ModelInfo:
        """What the newest worker serves.

        Raises:
            UnavailableError: no worker is known.
        """
        self._fleet.require_live_worker()
        return max(self._fleet.workers, key=lambda worker: worker.started_at).model

    def has_policy(self, name: str) -> bool:
        """Whether there is a policy of this name."""
        return name in self._policies.heads

    def check_options(self, options: VerdictOptions | None, policy: object = None) -> VerdictOptions | None:
        """The options with what `policy`, a name, says beside them, if every served model can follow them.

        Raises:
            MalformedRequestError: there is no such policy.
            UnsupportedOptionError: a model lacks a level or a label that they name.
        """
        if policy is not None:
            options = self._policies.apply(policy, options)
        if options is not None:
            self._fleet.check_options(options)
        return options

    async def judge(self, items: Sequence[Item], options: VerdictOptions | None = None) -> Judged:
        """A verdict or an error for each item; the request's record has them for its log line and the metrics.

        Raises:
            KobertError: the error of the first item, when no item has a verdict.
            UnavailableError, OverloadedError: no worker could answer, too much is in flight, or the key's texts are
                used up.
            TooLargeError: more texts than the key may have in a minute.
        """
        stopwatch = Stopwatch()
        outcomes, answers = await self._outcomes(items, options)
        judged = self._judged(outcomes, answers, stopwatch, None if options is None else options.policy)
        judged.note(current_record())
        return judged

    def conclude(self, items: Sequence[Item], replies: Sequence[Answer | KobertError], stopwatch: Stopwatch) -> Judged:
        """What `judge` gives for items that were asked without options, from what the workers said of each.

        Raises:
            KobertError: as `judge`.
        """
        outcomes = [_outcome(reply, item.name, None) for item, reply in zip(items, replies, strict=True)]
        return self._judged(outcomes, [reply for reply in replies if isinstance(reply, Answer)], stopwatch, None)

    def _judged(
        self,
        outcomes: list[Verdict | KobertError],
        answers: Sequence[Answer],
        stopwatch: Stopwatch,
        policy: PolicyRef | None,
    ) -> Judged:
        if all(isinstance(outcome, KobertError) for outcome in outcomes):
            raise outcomes[0]  # type: ignore[misc]  # the line above says that it is an error
        return Judged(outcomes, stopwatch.read(answers), self._fleet.revisions, policy)

    async def _outcomes(
        self, items: Sequence[Item], options: VerdictOptions | None
    ) -> tuple[list[Verdict | KobertError], list[Answer]]:
        """Items that are no texts are refused here; the others go to the workers."""
        outcomes: dict[int, Verdict | KobertError] = {}
        texts: dict[int, str] = {}
        for index, item in enumerate(items):
            try:
                texts[index] = check_text(item.value, item.name, self._settings.max_text_chars)
            except TextRejectedError as error:
                # Its frame would keep the outcomes, and they keep the error: garbage that only a collection finds.
                outcomes[index] = error.with_traceback(None)
        policy = None if options is None else options.policy
        await self._charge(len(texts))
        replies = await self._dispatcher.ask_workers(list(texts.values()), options) if texts else []
        for index, reply in zip(texts, replies, strict=True):
            outcomes[index] = _outcome(reply, items[index].name, policy)
        answers = [reply for reply in replies if isinstance(reply, Answer)]
        return [outcomes[index] for index in range(len(items))], answers

    async def _charge(self, count: int) -> None:
        principal = current_record().principal
        if principal is not None and count:
            await self._quotas.charge(principal, {"texts_per_minute": count})


def _outcome(reply: Answer | KobertError, name: str, policy: PolicyRef | None) -> Verdict | KobertError:
    if isinstance(reply, KobertError):
        return reply
    outcome = reply.outcome
    if isinstance(outcome, Failure):
        return errors.from_worker(outcome, name)
    if policy is None:
        return outcome
    return msgspec.structs.replace(outcome, policy=PolicyVersion(policy.name, policy.version))
