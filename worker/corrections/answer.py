"""The verdict that a correction makes: what a person said, with a score of 1, and nothing of the model's."""

from bundles.format import BundleConfig
from shared.verdict import Span, Verdict


class CorrectedVerdicts:
    """Makes them for one bundle.

    A person's word is no probability: the score of the label that it names is 1, that of every other label 0, so that
    a caller who reads the scores acts as one who reads the classification. A kind of a label counts with its label.
    """

    def __init__(self, config: BundleConfig) -> None:
        self._clean = clean = config.clean_label
        self._names = [*config.labels, *([] if clean is None or clean in config.labels else [clean])]
        self._parents = {name: parent for parent, names in config.sub_labels.items() for name in names}
        self._made: dict[str, Verdict] = {}

    def verdict(self, said: str) -> Verdict:
        """The verdict on a text that is `said`."""
        if said not in self._made:
            self._made[said] = self._make(said)
        return self._made[said]

    def spans(self, verdict: Verdict, text: str) -> list[Span]:
        """The whole text for each label but the clean one: a person spoke of all of it, and a mask must hide it."""
        return [Span(label, 0, len(text), text, 1.0) for label in verdict.labels if label != self._clean]

    def _make(self, said: str) -> Verdict:
        top = self._parents.get(said, said)
        counted = [top] if said == top else [top, said]
        scores = {name: 1.0 if name in counted else 0.0 for name in dict.fromkeys([*counted, *self._names])}
        return Verdict(top, 1.0, scores, counted, corrected=True)
