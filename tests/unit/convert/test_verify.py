"""What the logits of the sample texts tell of a model."""

import numpy as np
import pytest

from convert.verify import look_multi_label


def logits(*means: float) -> np.ndarray:
    return np.random.default_rng(4).normal(means, 0.5, (40, len(means))).astype(np.float32)


@pytest.mark.parametrize("means", [(-4, -5), (-3, -4, -3, -5, -2), (2, -4, -4, -4, -4)])
def test_outputs_that_are_low_together_look_like_several_labels(means: tuple[float, ...]) -> None:
    assert look_multi_label(logits(*means))


@pytest.mark.parametrize("means", [(3, -3), (4, -1, -1, -1, -1), (0.2, -0.3, 0.1), (-5,), (2, 3, 1)])
def test_outputs_around_zero_look_like_one_label(means: tuple[float, ...]) -> None:
    assert not look_multi_label(logits(*means))
