"""Small cascades for bundles of tests: they are certain of each text without a byte or piece that they do not know."""

from pathlib import Path

import msgspec
from tokenizers import Tokenizer

from bundles.cascade import CASCADE_FILE, CERTIFIED_FILES, UNKNOWN, ZERO, CascadeTable, Certificate, hashes_of
from bundles.format import load_bundle, write_manifest

CERTAIN_LOGITS = [4.0, 0.0, 0.0, 0.0]
PAIRS = 64


def cascade_for(bundle: Path, *, bad: str = "!", unknown: str = "?", logits: list[float] | None = None) -> CascadeTable:
    """A cascade of a bundle with a piece a byte: a text with `bad` is not certain, nor is one with `unknown`."""
    tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))
    pieces = tokenizer.get_vocab_size()
    weights = bytearray([ZERO] * (pieces + PAIRS))
    (bad_id,), (unknown_id,) = (tokenizer.encode(text, add_special_tokens=False).ids for text in (bad, unknown))
    weights[bad_id], weights[unknown_id] = 255, UNKNOWN
    hashes = hashes_of(load_bundle(bundle))
    return CascadeTable(
        files={name: hashes[name] for name in CERTIFIED_FILES},
        pieces=pieces,
        weights=bytes(weights),
        step=1.0,
        bias=-4.0,
        cut=-1.0,
        peaks=[(0, 1.0)],
        most_tokens=48,
        knots=[(-4.0, CERTAIN_LOGITS if logits is None else logits)],
        certificate=Certificate(texts=100, share=0.5, agreement=1.0, padded=10, padded_lost=0),
    )


def put_cascade(bundle: Path, table: CascadeTable) -> Path:
    """Write it into the bundle's folder, and its manifest."""
    (bundle / CASCADE_FILE).write_bytes(msgspec.msgpack.encode(table))
    write_manifest(bundle)
    return bundle
