"""What the logits of the sample texts tell of a model."""

import numpy as np
import pytest

from convert.verify import look_multi_label, look_untrained


def logits(*means: float) -> np.ndarray:
    return np.random.default_rng(4).normal(means, 0.5, (40, len(means))).astype(np.float32)


@pytest.mark.parametrize("means", [(-4, -5), (-3, -4, -3, -5, -2), (2, -4, -4, -4, -4)])
def test_outputs_that_are_low_together_look_like_several_labels(means: tuple[float, ...]) -> None:
    assert look_multi_label(logits(*means))


@pytest.mark.parametrize("means", [(3, -3), (4, -1, -1, -1, -1), (0.2, -0.3, 0.1), (-5,), (2, 3, 1)])
def test_outputs_around_zero_look_like_one_label(means: tuple[float, ...]) -> None:
    assert not look_multi_label(logits(*means))


def test_a_head_with_its_first_weights_hardly_tells_texts_apart() -> None:
    noise = np.random.default_rng(5).normal(0, 0.005, (40, 3)).astype(np.float32)
    assert look_untrained(noise + np.array([0.1, -0.2, 0.3], np.float32))
    assert look_untrained(noise[:, :1] - 2)
    assert not look_untrained(logits(3, -3))
    assert not look_untrained(logits(-5))
