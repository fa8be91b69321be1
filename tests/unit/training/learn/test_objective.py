"""The loss: what is unknown teaches nothing, and whether any label counts is asked of the highest accusing one."""

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

from training.data.signals import ACCUSING, ANY, SIGNAL_INDEX, SIGNALS, TARGET_INDEX, TARGETS  # noqa: E402
from training.learn.objective import verdict_loss  # noqa: E402


def gradient(targets: dict[str, float], logits: dict[str, float] | None = None) -> dict[str, float]:
    """The gradient by signal, of one row with these known targets."""
    row = torch.full((1, len(TARGETS)), float("nan"))
    for name, value in targets.items():
        row[0, TARGET_INDEX[name]] = value
    values = torch.zeros(1, len(SIGNALS))
    for name, value in (logits or {}).items():
        values[0, SIGNAL_INDEX[name]] = value
    values.requires_grad_()
    verdict_loss(values, row).backward()
    assert values.grad is not None
    return {name: float(slope) for name, slope in zip(SIGNALS, values.grad[0], strict=True) if slope}


def test_a_row_without_a_known_target_teaches_nothing() -> None:
    assert gradient({}) == {}


@pytest.mark.parametrize("name", SIGNALS)
def test_a_known_target_teaches_its_own_signal_alone(name: str) -> None:
    assert gradient({name: 1.0}) == pytest.approx({name: -0.5})
    assert gradient({name: 0.0}) == pytest.approx({name: 0.5})


@pytest.mark.parametrize("highest", ACCUSING)
def test_that_a_text_is_bad_pushes_the_highest_accusing_label_up(highest: str) -> None:
    pushed = gradient({ANY: 1.0}, {highest: 0.3, "hate/gender": 4.0, "beep/offensive": 5.0})
    assert pushed.keys() == {highest}
    assert pushed[highest] < 0


@pytest.mark.parametrize("highest", ACCUSING)
def test_that_a_text_is_clean_pushes_the_highest_accusing_label_down(highest: str) -> None:
    pushed = gradient({ANY: 0.0}, {highest: 0.3, "hate/gender": 4.0, "beep/offensive": 5.0})
    assert pushed.keys() == {highest}
    assert pushed[highest] > 0


def test_the_decision_weighs_more_than_one_label() -> None:
    by_any, by_label = (gradient({name: 1.0}, {"curse": 0.3})["curse"] for name in (ANY, "curse"))
    assert abs(by_any) > abs(by_label)


def test_the_loss_is_the_mean_of_the_rows() -> None:
    logits, targets = torch.randn(4, len(SIGNALS)), torch.rand(4, len(TARGETS))
    targets[1, 3:] = float("nan")
    rows = [verdict_loss(logits[at : at + 1], targets[at : at + 1]) for at in range(4)]
    assert float(verdict_loss(logits, targets)) == pytest.approx(float(sum(rows)) / 4, rel=1e-5)


def test_the_loss_stays_on_the_device_of_the_logits() -> None:
    """Torch's device without memory stands in for a GPU: an operand left on the CPU is an error on both."""
    logits = torch.zeros(2, len(SIGNALS), device="meta")
    assert verdict_loss(logits, torch.zeros(2, len(TARGETS), device="meta")).device.type == "meta"
