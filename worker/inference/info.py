"""What a worker says of its model: the model's entry in `/info`."""

from collections.abc import Sequence

from bundles.format import Bundle
from shared.messages import ModelInfo
from worker.inference.verdict import Judge


def model_info(bundle: Bundle, judge: Judge, notices: Sequence[str]) -> ModelInfo:
    """Of a bundle, with the thresholds that `judge` applies; `notices` are what its conversion warned of."""
    config = bundle.config
    return ModelInfo(
        name=config.name,
        revision=bundle.revision,
        problem_type=config.problem_type,
        labels=config.all_labels,
        clean_label=config.clean_label,
        strictness=judge.strictness,
        thresholds=judge.thresholds,
        levels=judge.levels,
        max_length=config.max_length,
        notices=list(notices),
    )
