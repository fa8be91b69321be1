"""A user's labelled texts: how they are split, and what is too little."""

import pytest

from shared.errors import ModelSourceError
from training.user_table import hardly_scored, join_labels, split_rows


def rows(count: int = 40) -> list[tuple[str, str]]:
    return [(f"{'좋은' if index % 2 else '나쁜'} 글 {index}", "good" if index % 2 else "bad") for index in range(count)]


def test_a_tenth_of_each_label_is_kept_for_scoring() -> None:
    table = split_rows(rows(), "t.csv")
    assert table.labels == ["bad", "good"]
    assert (len(table.train), len(table.dev)) == (36, 4)
    assert not {text for text, _ in table.train} & {text for text, _ in table.dev}


def test_the_split_does_not_depend_on_the_order_of_the_rows() -> None:
    assert split_rows(reversed(rows()), "t.csv").dev == split_rows(rows(), "t.csv").dev


def test_a_text_with_two_labels_takes_the_more_frequent_one() -> None:
    table = split_rows([*rows(), ("나쁜 글 0", "good"), ("나쁜 글 0", "good")], "t.csv")
    assert ("나쁜 글 0", table.labels.index("good")) in [*table.train, *table.dev]


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ModelSourceError, match=r"t\.csv has 4 different texts and 2 labels"):
        split_rows(rows(4), "t.csv")
    with pytest.raises(ModelSourceError, match="has 20 different texts and 1 labels"):
        split_rows([(text, "one") for text, _ in rows(20)], "t.csv")


@pytest.mark.parametrize(
    "labels", [("curse", "curse,insult", "clean"), ("clean", "curse; insult", "insult; curse"), ("a|b", "b", "c")]
)
def test_labels_that_join_others_are_refused(labels: tuple[str, ...]) -> None:
    texts = [(f"글 {index}", labels[index % len(labels)]) for index in range(60)]
    with pytest.raises(ModelSourceError, match=r"t\.csv has the label '.+', which joins several"):
        split_rows(texts, "t.csv")


def test_a_label_with_a_comma_of_its_own_is_one_label() -> None:
    texts = [(f"글 {index}", "좋음, 매우" if index % 2 else "나쁨") for index in range(60)]
    assert split_rows(texts, "t.csv").labels == ["나쁨", "좋음, 매우"]


def test_a_label_with_one_text_is_refused_by_name() -> None:
    with pytest.raises(ModelSourceError, match=r"t\.csv has one text with the label 'rare'"):
        split_rows([*rows(), ("드문 글", "rare")], "t.csv")


def test_a_label_with_few_scored_texts_is_named_with_their_number() -> None:
    assert hardly_scored(["a", "b", "c"], [[9, 1, 0], [0, 3, 1], [0, 0, 0]]) == ["b (4)", "c (0)"]


def test_texts_with_several_labels_are_learnt_by_label() -> None:
    cells = ["insult; curse", "curse;insult", "curse", "정상", "", "정상;"]
    pairs, clean = join_labels([(f"글 {index}", cells[index % 6]) for index in range(60)], None)

    table = split_rows(pairs, "t.csv", clean_name=clean)

    assert (clean, table.names) == ("정상", ["curse", "insult"])
    assert dict(zip(table.labels, table.members, strict=True)) == {
        "": [False, False], "curse": [True, False], "curse;insult": [True, True],
    }  # fmt: skip
    assert len(table.train) + len(table.dev) == 60


def test_a_label_that_one_text_has_is_refused_where_texts_have_several_too() -> None:
    rows_with_rare = [*((f"글 {index}", "curse" if index % 2 else "") for index in range(40)), ("x", "curse;rare")]
    with pytest.raises(ModelSourceError, match=r"t\.csv has one text with the label 'rare'"):
        split_rows(rows_with_rare, "t.csv", clean_name="clean")
