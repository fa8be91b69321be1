"""The disguises that training text gets."""

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("torch", reason="the training extra is not installed")

from hypothesis import given  # noqa: E402  after the skip
from hypothesis import strategies as st  # noqa: E402

from bundles.text.normalise import normalise  # noqa: E402
from training.data.noise import DISGUISES, disguise_text  # noqa: E402


@given(st.text(max_size=40), st.integers(0, 1_000))
def test_any_text_can_be_disguised(text: str, seed: int) -> None:
    disguised = disguise_text(text, np.random.default_rng(seed))
    assert bool(disguised.strip()) == bool(text.strip())


def test_the_same_seed_gives_the_same_disguise() -> None:
    text = "이 개새끼야 조용히 해"
    assert disguise_text(text, np.random.default_rng(3)) == disguise_text(text, np.random.default_rng(3))


def test_the_curse_is_what_gets_disguised() -> None:
    changed = [disguise_text("오늘 시발 날씨", np.random.default_rng(seed)) for seed in range(20)]
    assert all(text.startswith("오늘 ") and text.endswith(" 날씨") for text in changed)
    assert len(set(changed)) > 5


@pytest.mark.parametrize("name", ["invisible", "split_all", "typed"])
def test_a_mechanical_disguise_is_undone_by_the_normaliser(name: str) -> None:
    disguise, _ = DISGUISES[name]
    assert normalise(disguise("시발", np.random.default_rng(0))) == "시발"
