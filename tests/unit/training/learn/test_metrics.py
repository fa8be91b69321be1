"""Scores against worked examples."""

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("torch", reason="the training extra is not installed")

from training.learn.metrics import calibration_error, confusion, sigmoid  # noqa: E402  after the skip


def test_a_confusion_is_counted_and_scored_as_by_hand() -> None:
    flagged = np.array([True, True, False, False, True])
    truth = np.array([True, False, True, False, True])

    counts = confusion(flagged, truth)

    assert (counts.true_positive, counts.false_positive, counts.false_negative, counts.true_negative) == (2, 1, 1, 1)
    assert counts.precision == pytest.approx(2 / 3)
    assert counts.recall == pytest.approx(2 / 3)
    assert counts.f1 == pytest.approx(2 / 3)
    assert counts.macro_f1 == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert counts.accuracy == pytest.approx(3 / 5)


def test_a_confusion_of_nothing_scores_zero_and_does_not_raise() -> None:
    nothing = np.zeros(3, dtype=bool)
    assert confusion(nothing, nothing).f1 == 0.0


def test_scores_that_come_true_as_often_as_they_say_have_no_calibration_error() -> None:
    probabilities = np.full(100, 0.25, dtype=np.float32)
    truth = np.arange(100) < 25
    assert calibration_error(probabilities, truth) == pytest.approx(0.0, abs=1e-6)


def test_sure_and_wrong_is_a_calibration_error_of_one() -> None:
    assert calibration_error(np.ones(10, dtype=np.float32), np.zeros(10, dtype=bool)) == pytest.approx(1.0)


def test_sigmoid_survives_huge_logits() -> None:
    assert sigmoid(np.array([-1e9, 0.0, 1e9], dtype=np.float32)).tolist() == pytest.approx([0.0, 0.5, 1.0], abs=1e-6)
