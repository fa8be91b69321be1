import math
from pathlib import Path

import msgspec
import pytest

from bundles.cascade import CASCADE_FILE, FIRST, SECOND, SHIFT, ZERO, CascadeTable, cascade_of
from bundles.format import load_bundle, write_manifest
from shared.errors import BundleInvalidError
from tests.support.cascades import PAIRS, cascade_for, put_cascade


def test_a_margin_is_the_sum_of_pieces_and_pairs_over_the_root_of_the_length(echo_bundle: Path) -> None:
    table = cascade_for(echo_bundle)
    ids = [1, 10, 11, 2]
    weights = bytearray(table.weights)
    weights[10] = ZERO + 3
    pair = (10 * FIRST + 11 * SECOND + SHIFT) % PAIRS + table.pieces
    weights[pair] = ZERO - 5
    table = msgspec.structs.replace(table, weights=bytes(weights), step=0.5, bias=-1.0)

    assert table.margin(ids) == pytest.approx(-1.0 + 0.5 * (3 - 5) / math.sqrt(4))


def test_a_text_with_an_unknown_piece_has_no_margin(echo_bundle: Path) -> None:
    table = cascade_for(echo_bundle)
    known = [1, 10, 2]
    unknown = table.weights.index(0)

    assert table.margin(known) is not None
    assert table.margin([1, 10, unknown, 2]) is None


def test_answers_lie_on_the_line_between_knots_and_stop_at_the_outer_ones(echo_bundle: Path) -> None:
    knots = [(-4.0, [2.0, 0.0]), (-2.0, [1.0, 1.0])]
    table = msgspec.structs.replace(cascade_for(echo_bundle), knots=knots)

    assert table.logits_at(-9.0) == [2.0, 0.0]
    assert table.logits_at(-3.0) == [1.5, 0.5]
    assert table.logits_at(-2.0) == table.logits_at(5.0) == [1.0, 1.0]


def test_a_bundle_without_a_cascade_has_none(echo_bundle: Path) -> None:
    assert cascade_of(load_bundle(echo_bundle)) is None


def test_what_was_written_is_read_again(echo_bundle: Path) -> None:
    table = cascade_for(echo_bundle)
    put_cascade(echo_bundle, table)

    assert cascade_of(load_bundle(echo_bundle)) == table


def test_a_cascade_of_another_graph_is_refused(echo_bundle: Path) -> None:
    put_cascade(echo_bundle, cascade_for(echo_bundle))
    (echo_bundle / "model.onnx").write_bytes(b"a newer graph")
    write_manifest(echo_bundle)

    with pytest.raises(BundleInvalidError, match="another graph, tokenizer or config"):
        cascade_of(load_bundle(echo_bundle))


def test_a_changed_cascade_makes_the_bundle_invalid(echo_bundle: Path) -> None:
    put_cascade(echo_bundle, cascade_for(echo_bundle))
    with (echo_bundle / CASCADE_FILE).open("ab") as file:
        file.write(b"\0")

    with pytest.raises(BundleInvalidError, match=r"cascade\.msgpack was changed"):
        load_bundle(echo_bundle)


def test_a_file_that_is_no_cascade_is_refused(echo_bundle: Path) -> None:
    (echo_bundle / CASCADE_FILE).write_bytes(b"\xc1")
    write_manifest(echo_bundle)

    with pytest.raises(BundleInvalidError, match="cannot be read"):
        cascade_of(load_bundle(echo_bundle))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"format_version": 2}, "format_version 2"),
        ({"pieces": 0}, "no room"),
        ({"pieces": 1 << 20}, "no room"),
        ({"knots": []}, "must rise"),
        ({"knots": [(1.0, [0.0] * 4), (1.0, [0.0] * 4)]}, "must rise"),
        ({"knots": [(1.0, [0.0] * 3)]}, "need 4 logits"),
        ({"step": math.nan}, "not finite"),
        ({"knots": [(1.0, [0.0, 0.0, 0.0, math.inf])]}, "not finite"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(echo_bundle: Path, changed: dict[str, object], said: str) -> None:
    table: CascadeTable = msgspec.structs.replace(cascade_for(echo_bundle), **changed)
    put_cascade(echo_bundle, table)

    with pytest.raises(BundleInvalidError, match=said):
        cascade_of(load_bundle(echo_bundle))
