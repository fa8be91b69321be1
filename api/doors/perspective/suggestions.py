"""From a moderator's decision, which Perspective's clients send as scores, to a correction."""

import time

from api.access.principal import Principal
from api.context import Context
from api.doors.perspective.messages import SuggestRequest, attribute_of, require_comment
from api.doors.perspective.scores import LABELS, TOXIC_ATTRIBUTES
from api.queue.judging import Item
from shared.corrections.records import NewCorrection
from shared.corrections.store import Added
from shared.errors import KobertError, MalformedRequestError, UnsupportedOptionError
from shared.messages import ModelInfo
from shared.options import VerdictOptions
from shared.verdict import Verdict

# From this suggested score on, a comment is what the attribute says.
YES = 0.5
NOTE = "Perspective suggestscore"


def community_options(community_id: str | None, context: Context) -> VerdictOptions | None:
    """The options of the policy that `communityId` names, if it names one."""
    if community_id is None or not context.judging.has_policy(community_id):
        return None
    return context.judging.check_options(None, community_id)


async def correct(asked: SuggestRequest, editor: Principal, context: Context) -> None:
    """Store a correction, unless the verdict agrees with what was suggested.

    Raises:
        MalformedRequestError: no score was suggested.
        UnsupportedOptionError: the model has no label for what was suggested.
        TextRejectedError, UnavailableError, TooLargeError: as for `/predict` and `/corrections`.
    """
    text = require_comment(asked).text
    options = community_options(asked.community_id, context)
    judged = await context.judging.judge([Item(text, "comment.text")], options)
    (verdict,) = judged.outcomes
    if isinstance(verdict, KobertError):
        raise verdict
    wanted = _classification(asked, verdict, context.judging.model)
    if wanted in verdict.labels:
        return
    new = NewCorrection(
        text=str(text),
        classification=wanted,
        policy=None if options is None else asked.community_id,
        note=NOTE,
        created_at=int(time.time()),
        created_by=editor.key_id,
    )
    (outcome,) = await context.corrections.add([new])
    if not isinstance(outcome, Added):
        raise outcome
    await context.audit.note(editor, "correction.added", outcome.correction.id)


def _classification(asked: SuggestRequest, verdict: Verdict, model: ModelInfo) -> str:
    """The label that the highest suggested score stands for; that for clean, if none is high."""
    suggested = {
        attribute_of(name): scores.summary_score.value
        for name, scores in (asked.attribute_scores or {}).items()
        if scores.summary_score is not None
    }
    if not suggested:
        raise MalformedRequestError("attributeScores has no summaryScore", param="attributeScores")
    attribute = max(suggested, key=suggested.__getitem__)
    if suggested[attribute] < YES:
        return _known(model.clean_label, attribute, model)
    if attribute not in TOXIC_ATTRIBUTES:
        return _known(LABELS.get(attribute), attribute, model)
    # Toxic in which way, only the model can say.
    ranked = [label for label in verdict.scores if label != model.clean_label]
    return verdict.classification if verdict.classification != model.clean_label else ranked[0]


def _known(label: str | None, attribute: str, model: ModelInfo) -> str:
    if label is None or label not in {*model.labels, model.clean_label}:
        raise UnsupportedOptionError(f"Attribute {attribute} has no label of this model", param=attribute)
    return label
