"""A pickle is data to be read, never a program to be run."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convert.pickles import MAX_PICKLE_BYTES, read_pickle
from shared.errors import ModelSourceError
from tests.support.pickles import PROTOCOLS, HidesBehindCopyreg, RunsACommand, dumps


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        {"clean": 0, "curse": 1, "모욕": 2},
        {0: "clean", 1: "curse"},
        ["clean", "욕설"],
        {"nested": [(1, 2.5, None), {"a": True, "b": False}, b"bytes", "x" * 300, 2**70, (), [], {}]},
        [[1, 2]] * 3,
    ],
)
def test_plain_data_is_read_in_every_protocol(value: object, protocol: int) -> None:
    if protocol < 3 and "bytes" in str(value):
        pytest.skip("bytes are a function call before protocol 3")
    assert read_pickle(dumps(value, protocol), "category.pkl") == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("hostile", [RunsACommand, HidesBehindCopyreg])
def test_a_call_of_os_system_is_refused_by_name_and_nothing_runs(
    hostile: type[RunsACommand], protocol: int, tmp_path: Path
) -> None:
    trace = tmp_path / "ran"
    raw = dumps({"clean": 0, "curse": hostile(trace)}, protocol)

    with pytest.raises(ModelSourceError, match=r"category\.pkl was refused: it asks for (posix|nt)\.system; nothing"):
        read_pickle(raw, "category.pkl")

    assert not trace.exists()


def test_copyreg_rebuilds_nothing_but_the_classes_that_were_named() -> None:
    raw = b"ccopyreg\n_reconstructor\n(cbuiltins\neval\ncbuiltins\nobject\nNtR."
    with pytest.raises(ModelSourceError, match=r"it asks for builtins\.eval"):
        read_pickle(raw, "vocab.pkl")


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        (b"Pname\n.", "PERSID"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"(S'a'\niposix\nsystem\n.", "INST"),
        (b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00N)\x81.", "NoneType"),
        (b"\x80\x04]}b.", "a state of its own kind"),
    ],
)
def test_other_ways_to_make_objects_are_refused_by_name(raw: bytes, named: str) -> None:
    with pytest.raises(ModelSourceError, match=named):
        read_pickle(raw, "vocab.pkl")


@pytest.mark.parametrize("raw", [b"", b"not a pickle", dumps({"clean": 0})[:-4], b"h\x05.", b"0.", b"u.", b"\x80\x04."])
def test_damage_is_told_from_an_attack(raw: bytes) -> None:
    with pytest.raises(ModelSourceError, match="damaged or not a pickle"):
        read_pickle(raw, "category.pkl")


@given(st.binary(max_size=200), st.integers(0, 5))
def test_whatever_bytes_come_they_are_read_or_refused(raw: bytes, protocol: int) -> None:
    genuine = dumps({"clean": 0, "curse": [1, (2, 3)]}, protocol)
    for damaged in (raw, genuine[: len(raw)] + raw, raw[:3] + genuine):
        with contextlib.suppress(ModelSourceError):
            read_pickle(damaged, "category.pkl", ["gluonnlp.vocab.bert.BERTVocab"])


def test_a_file_of_absurd_size_is_not_even_walked() -> None:
    with pytest.raises(ModelSourceError, match="never that large"):
        read_pickle(bytes(MAX_PICKLE_BYTES + 1), "category.pkl")
