"""Judges the texts of a request: checks each, asks the workers, and notes what came out.

Every route that answers at once uses it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from api.access.quotas import Quotas
from api.http import errors
from api.http.request_record import current_record
from api.http.texts import check_text
from api.http.timing import Stopwatch, Timing
from api.queue.dispatcher import Dispatcher
from api.queue.fleet import Fleet
from shared.errors import KobertError, TextRejectedError
from shared.messages import Answer
from shared.options import VerdictOptions
from shared.settings import Settings
from shared.verdict import Failure, Verdict


@dataclass(frozen=True, slots=True)
class Item:
    """One thing sent as a text: what it is, and what to call it in an error (`text`, `texts[3]`)."""

    value: object
    name: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict or an error for each item, in their order, and the time that it took."""

    outcomes: list[Verdict | KobertError]
    timing: Timing


class Judging:
    """One per API process. The same text with the same options gets the same verdict, whichever route it came by."""

    def __init__(self, settings: Settings, dispatcher: Dispatcher, fleet: Fleet, quotas: Quotas) -> None:
        self._quotas = quotas
        self._settings = settings
        self._dispatcher = dispatcher
        self._fleet = fleet

    def check_options(self, options: VerdictOptions | None) -> VerdictOptions | None:
        """The options, if every served model can follow them.

        Raises:
            UnsupportedOptionError: a model lacks a level or a label that they name.
        """
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
        if all(isinstance(outcome, KobertError) for outcome in outcomes):
            raise outcomes[0]  # type: ignore[misc]  # the line above says that it is an error
        judged = Judged(outcomes, stopwatch.read(answers))
        _note(judged)
        return judged

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
                outcomes[index] = error
        await self._charge(len(texts))
        replies = await self._dispatcher.ask_workers(list(texts.values()), options) if texts else []
        for index, reply in zip(texts, replies, strict=True):
            outcomes[index] = _outcome(reply, items[index].name)
        answers = [reply for reply in replies if isinstance(reply, Answer)]
        return [outcomes[index] for index in range(len(items))], answers

    async def _charge(self, count: int) -> None:
        principal = current_record().principal
        if principal is not None and count:
            await self._quotas.charge(principal, {"texts_per_minute": count})


def _outcome(reply: Answer | KobertError, name: str) -> Verdict | KobertError:
    if isinstance(reply, KobertError):
        return reply
    outcome = reply.outcome
    return errors.from_worker(outcome, name) if isinstance(outcome, Failure) else outcome


def _note(judged: Judged) -> None:
    record = current_record()
    record.timing = judged.timing
    record.classifications = [outcome.classification for outcome in judged.outcomes if isinstance(outcome, Verdict)]
    record.text_errors = [outcome.code for outcome in judged.outcomes if isinstance(outcome, KobertError)]
