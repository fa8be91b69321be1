import random
import time

import pytest

from shared.corrections.records import Correction, NewCorrection, correction_id
from worker.corrections.book import CorrectionBook


def correction(number: int, text: str, classification: str = "hate", policy: str | None = None) -> Correction:
    record = NewCorrection(text=text, classification=classification, policy=policy)
    return Correction(id=correction_id(number), version=number, record=record)


@pytest.fixture
def book() -> CorrectionBook:
    return CorrectionBook()


@pytest.mark.parametrize(
    "same",
    [
        "너 진짜 뿡뿡이 같아",
        "너진짜 뿡뿡이 같아!!!",
        "너 진짜 뿡.뿡.이 같아",
        "너 진짜 뿡\u200b뿡이 같아",
        "너 진짜 ㅃㅜㅇ뿡이같아~",
    ],
)
def test_a_text_is_found_in_its_disguises(book: CorrectionBook, same: str) -> None:
    book.update([correction(1, "너 진짜 뿡뿡이 같아")], [])
    assert book.find(same) == "hate"


@pytest.mark.parametrize(
    "other", ["너 진짜 뿡뿡이 같아요", "진짜 뿡뿡이 같아", "너 진짜 뿡뿡이 같아 😀", "너 진짜 뿡뿡이 2 같아"]
)
def test_another_text_is_not_found(book: CorrectionBook, other: str) -> None:
    book.update([correction(1, "너 진짜 뿡뿡이 같아")], [])
    assert book.find(other) is None


def test_a_correction_of_one_policy_holds_under_it_alone_and_before_the_one_for_all(book: CorrectionBook) -> None:
    book.update([correction(1, "뿡뿡이", "insult", policy="board1")], [])
    assert [book.find("뿡뿡이", policy) for policy in (None, "board2", "board1")] == [None, None, "insult"]
    book.update([correction(2, "뿡뿡이", "clean")], [])
    assert [book.find("뿡뿡이", policy) for policy in (None, "board2", "board1")] == ["clean", "clean", "insult"]


def test_the_last_one_holds_and_the_one_before_it_when_it_is_withdrawn(book: CorrectionBook) -> None:
    book.update(
        [correction(1, "뿡뿡이", "hate"), correction(2, "뿡.뿡.이", "clean"), correction(3, "뿡뿡이!", "curse")], []
    )
    assert book.find("뿡뿡이") == "curse"
    book.update([], [2])
    assert book.find("뿡뿡이") == "curse"
    book.update([], [3])
    assert book.find("뿡뿡이") == "hate"
    book.update([], [1])
    assert book.find("뿡뿡이") is None
    assert len(book) == 0


def test_one_that_changes_its_mind_leaves_no_older_self(book: CorrectionBook) -> None:
    for classification in ("hate", "clean", "hate", "clean"):
        book.update([correction(1, "뿡뿡이", classification)], [])
    book.update([], [1])
    assert book.find("뿡뿡이") is None


def test_to_replace_all_forgets_the_others(book: CorrectionBook) -> None:
    book.update([correction(1, "하나"), correction(2, "둘")], [])
    book.replace([[correction(2, "둘"), correction(3, "셋")]])
    assert [book.find(text) for text in ("하나", "둘", "셋")] == [None, "hate", "hate"]


def test_any_order_of_changes_ends_as_reading_everything_does(book: CorrectionBook) -> None:
    generator = random.Random(5)
    texts = [f"글 {number}" for number in range(8)] + [f"글.{number}" for number in range(8)]
    held: dict[str, Correction] = {}
    for number in range(1, 400):
        text = generator.choice(texts)
        if text in held and generator.random() < 0.5:
            book.update([], [held.pop(text).number])
        else:
            own = held[text].number if text in held else number
            held.pop(text, None)
            held[text] = Correction(
                id=correction_id(own),
                version=number,
                record=NewCorrection(text=text, classification=generator.choice(["clean", "hate"])),
            )
            book.update([held[text]], [])
        whole = CorrectionBook()
        whole.replace([list(held.values())])
        assert [book.find(text) for text in texts] == [whole.find(text) for text in texts]


def test_thousands_of_corrections_of_one_text_are_read_in_linear_time() -> None:
    def seconds(count: int) -> float:
        made = [correction(number, "너 진짜 뿡뿡이 같아" + "!" * (number % 50)) for number in range(1, count + 1)]
        began = time.process_time()
        CorrectionBook().update(made, [])
        return time.process_time() - began

    short = min(seconds(1_500) for _ in range(3))
    assert min(seconds(6_000) for _ in range(3)) < 8 * short


def test_withdrawing_the_newest_brings_back_the_one_before(book: CorrectionBook) -> None:
    for number, label in enumerate(("hate", "insult", "clean"), start=1):
        book.update([correction(number, "뿡뿡이", label)], [])
    book.update([correction(1, "뿡뿡이", "curse")], [])
    said = []
    for number in (1, 3, 2):
        said.append(book.find("뿡뿡이"))
        book.update([], [number])
    assert (said, book.find("뿡뿡이"), len(book)) == (["curse", "clean", "insult"], None, 0)
