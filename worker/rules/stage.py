"""The rules of policies around the model: what it does not read, and which labels count whatever it says."""

import unicodedata
from collections.abc import Sequence

import msgspec

from bundles.format import BundleConfig
from shared.options import VerdictOptions
from shared.verdict import Match, Span, Verdict
from worker.inference.stage import Reading
from worker.rules.policies import PolicyRules
from worker.rules.words import NOTHING, Found

# The score of a label that a denied term makes count.
CERTAIN = 1.0


class RuledReading(Reading, frozen=True):
    """A reading under a policy, with what its lists found in the text as `sent`."""

    found: Found = NOTHING
    sent: str = ""


class PolicyStage:
    """A `Stage`; `model` says which labels there are."""

    def __init__(self, policies: PolicyRules, model: BundleConfig) -> None:
        self._policies = policies
        self._labels = model.labels
        self._clean_label = model.clean_label
        self._parents = {kind: label for label, kinds in model.sub_labels.items() for kind in kinds}

    def prepare(self, text: str, options: VerdictOptions) -> Reading:
        """What the model reads under the policy of `options`.

        Raises:
            UnavailableError: the rules of the policy cannot be read.
        """
        if options.policy is None:
            return Reading(text, options)
        found = self._policies.words(options.policy).find(text)
        # Rules that are tried out have no version, and are no hits of the policy.
        if found.matches and options.policy.version:
            self._policies.hits.note(options.policy.name, found.matches)
        read = _without(text, found.unread)
        if found.unread and self._clean_label is not None and not _has_letters(read):
            verdict = self._nothing_read(self._clean_label)
            ruled = RuledReading(text, options, None, found, text)
            return RuledReading(text, options, self.amend(ruled, verdict), found, text)
        return RuledReading(read if _has_letters(read) else text, options, None, found, text)

    def amend(self, reading: Reading, verdict: Verdict) -> Verdict:
        """What the model said, with the labels of denied terms before its own."""
        if not isinstance(reading, RuledReading):
            return verdict
        matches = reading.found.matches
        named = [match.label for match in matches if match.label is not None]
        # A kind brings its label along, which is the one to act on.
        denied = list(dict.fromkeys(label for kind in named for label in (self._parents.get(kind, kind), kind)))
        if denied:
            verdict = self._with_denied(verdict, denied)
        if reading.options.wants_spans:
            spans = [] if verdict.spans is msgspec.UNSET else verdict.spans
            verdict = msgspec.structs.replace(verdict, spans=[*_spans(matches), *spans])
        if reading.options.offsets == "utf16":
            matches = [_in_utf16(reading.sent, match) for match in matches]
        return msgspec.structs.replace(verdict, matches=matches)

    def _with_denied(self, verdict: Verdict, denied: list[str]) -> Verdict:
        """The labels count for certain, and the text is not clean."""
        scores = {**dict.fromkeys(denied, CERTAIN), **{k: v for k, v in verdict.scores.items() if k not in denied}}
        if self._clean_label in scores and self._clean_label not in denied:
            del scores[self._clean_label]
            scores[self._clean_label] = 0.0
        others = [label for label in verdict.labels if label not in denied and label != self._clean_label]
        return msgspec.structs.replace(
            verdict, classification=denied[0], confidence=CERTAIN, scores=scores, labels=[*denied, *others]
        )

    def _nothing_read(self, clean_label: str) -> Verdict:
        """The verdict on a text that has nothing but allowed terms."""
        scores = {clean_label: 1.0, **{label: 0.0 for label in self._labels if label != clean_label}}
        return Verdict(clean_label, 1.0, scores, [clean_label])


def _without(text: str, ranges: Sequence[tuple[int, int]]) -> str:
    """The text with spaces for these ranges: offsets hold in both."""
    chars = list(text) if ranges else []
    for start, end in ranges:
        chars[start:end] = " " * (end - start)
    return "".join(chars) if ranges else text


def _has_letters(text: str) -> bool:
    return any(unicodedata.category(char)[0] in "LNS" for char in text)


def _spans(matches: Sequence[Match]) -> list[Span]:
    """Denied terms as the parts of the text that made their labels count."""
    return [Span(match.label, match.start, match.end, match.text, CERTAIN) for match in matches if match.label]


def _in_utf16(text: str, match: Match) -> Match:
    before = sum(char > "\uffff" for char in text[: match.start])
    inside = sum(char > "\uffff" for char in match.text)
    return msgspec.structs.replace(match, start=match.start + before, end=match.end + before + inside)
