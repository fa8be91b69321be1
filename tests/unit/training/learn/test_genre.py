"""What the genre of a text says against a label."""

import pytest

torch = pytest.importorskip("torch", reason="the training extra is not installed")

import numpy as np  # noqa: E402  after the skip

from training.data.signals import SIGNAL_INDEX  # noqa: E402
from training.data.sources import Row  # noqa: E402
from training.learn.genre import Genre  # noqa: E402
from training.learn.wide import WidePlan, fit_wide  # noqa: E402

START, END, NEWS, FORUM, BAD, GOOD = range(6)
PIECES, BUCKETS, WINDOW, HATE = 26, 400, 8, SIGNAL_INDEX["hate"]


def example(number: int) -> tuple[Row, list[int]]:
    """News that is mostly bad, and posts that are mostly good."""
    in_news, is_bad = number % 2 == 0, number % 8 in (0, 2, 4, 1)
    targets = {"any": float(is_bad), "hate": float(is_bad), "curse": float(is_bad)}
    source = "kmhas" if in_news else "hatescore"
    words = [NEWS if in_news else FORUM, BAD if is_bad else GOOD, 6 + number % 17]
    return Row(str(number), source, "train", targets), [START, *words, END]


ROWS, IDS = zip(*(example(number) for number in range(8 * 17)), strict=True)
PLAIN = WidePlan(labels=("curse", "hate"), buckets=BUCKETS, share=1.0, strictest=False)


def added(genre: Genre | None, *words: int) -> np.ndarray:
    plan = WidePlan(labels=PLAIN.labels, buckets=BUCKETS, share=1.0, strictest=False, genre=genre)
    wide = fit_wide(ROWS, IDS, plan, pieces=PIECES, window_tokens=WINDOW)
    return wide(torch.tensor([words]))[0].sum(0).numpy()


@pytest.fixture
def genre() -> Genre:
    return Genre(share=1.0, penalty=10.0)


def test_what_reads_like_news_counts_against_the_label_and_what_does_not_counts_for_it(genre: Genre) -> None:
    of_news, of_posts = (added(genre, word)[HATE] - added(None, word)[HATE] for word in (NEWS, FORUM))
    assert of_news < -0.5 < 0.5 < of_posts


def test_it_leaves_the_other_labels_as_they_are(genre: Genre) -> None:
    np.testing.assert_array_equal(np.delete(added(genre, NEWS), HATE), np.delete(added(None, NEWS), HATE))


def test_a_bad_word_is_not_news_though_most_of_the_news_is_bad(genre: Genre) -> None:
    moved = [added(genre, word)[HATE] - added(None, word)[HATE] for word in (BAD, GOOD, NEWS)]
    assert abs(moved[0] - moved[1]) < 0.4 * abs(moved[2])


def test_the_ends_of_a_text_say_nothing_of_its_genre(genre: Genre) -> None:
    loud = Genre(share=100.0, penalty=10.0)
    np.testing.assert_allclose(added(loud, START), added(genre, START), atol=0.5)


def test_rows_of_one_side_alone_leave_everything_as_it_is() -> None:
    nobody = Genre(others=("nobody",))
    np.testing.assert_array_equal(added(nobody, NEWS), added(None, NEWS))
