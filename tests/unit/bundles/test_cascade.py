import math
import random
from pathlib import Path

import msgspec
import pytest

from bundles.cascade import CASCADE_FILE, FIRST, SECOND, SHIFT, ZERO, CascadeTable, cascade_of, peaks_of
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


@pytest.mark.parametrize(("length", "peak"), [(0, 7), (1, 5), (2, 4), (3, 7), (4, 6), (6, 6)])
def test_a_peak_is_the_largest_sum_of_a_stretch_with_its_pairs(length: int, peak: int) -> None:
    pieces, buckets = 20, 1009
    weights = bytearray([ZERO] * (pieces + buckets))
    for piece, weight in {3: -1, 4: 5, 5: -2, 6: 3}.items():
        weights[piece] = ZERO + weight
    weights[(4 * FIRST + 5 * SECOND + SHIFT) % buckets + pieces] = ZERO + 1
    # Weights of special tokens are never counted.
    weights[1] = weights[2] = 255

    assert peaks_of([1, 3, 4, 5, 6, 2], bytes(weights), pieces, [length]) == [peak]


def test_words_around_a_text_never_lower_its_peak_of_any_length(echo_bundle: Path) -> None:
    generator = random.Random(3)
    table = cascade_for(echo_bundle)
    weights = bytes(generator.randrange(1, 256) for _ in table.weights)
    for _ in range(300):
        before, text, after = (generator.choices(range(3, table.pieces), k=generator.randrange(1, 9)) for _ in range(3))
        (alone,) = peaks_of([1, *text, 2], weights, table.pieces, [0])
        (padded,) = peaks_of([1, *before, *text, *after, 2], weights, table.pieces, [0])

        assert padded >= alone


def test_clean_words_around_a_bad_one_lower_the_margin_but_the_text_is_not_certain(echo_bundle: Path) -> None:
    table = cascade_for(echo_bundle)
    weights = bytearray(table.weights)
    bad, clean = 10, 11
    weights[bad], weights[clean] = ZERO + 3, ZERO - 100
    table = msgspec.structs.replace(table, weights=bytes(weights))
    margin = table.margin([1, clean, clean, bad, clean, clean, 2])

    assert margin is not None
    assert margin < table.cut
    assert table.certain([1, clean, clean, bad, clean, clean, 2]) is None
    assert table.certain([1, clean, clean, 2]) is not None


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


def test_a_file_of_an_older_version_says_so(echo_bundle: Path) -> None:
    (echo_bundle / CASCADE_FILE).write_bytes(msgspec.msgpack.encode({"format_version": 1, "cut": -3.0}))
    write_manifest(echo_bundle)

    with pytest.raises(BundleInvalidError, match="format_version 1, not 2"):
        cascade_of(load_bundle(echo_bundle))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"format_version": 1}, "format_version 1"),
        ({"pieces": 0}, "no room"),
        ({"pieces": 1 << 20}, "no room"),
        ({"knots": []}, "must rise"),
        ({"knots": [(1.0, [0.0] * 4), (1.0, [0.0] * 4)]}, "must rise"),
        ({"knots": [(1.0, [0.0] * 3)]}, "need 4 logits"),
        ({"peaks": []}, "peaks need a length"),
        ({"peaks": [(0, math.nan)]}, "not finite"),
        ({"step": math.nan}, "not finite"),
        ({"knots": [(1.0, [0.0, 0.0, 0.0, math.inf])]}, "not finite"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(echo_bundle: Path, changed: dict[str, object], said: str) -> None:
    table: CascadeTable = msgspec.structs.replace(cascade_for(echo_bundle), **changed)
    put_cascade(echo_bundle, table)

    with pytest.raises(BundleInvalidError, match=said):
        cascade_of(load_bundle(echo_bundle))
