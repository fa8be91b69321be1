"""Proves our reading of a legacy set equal to gluonnlp 0.10.0: `make gluonnlp-proof`.

    python -m convert.proofs.gluonnlp_proof SPIECE COMMENTS.jsonl WORK_FOLDER

Builds gluonnlp in the work folder once, has it pickle a real `BERTVocab` and tokenise 10,000 comments, and compares:
the vocabulary token by token in every pickle protocol; ids, order, padding and truncation comment by comment.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from tokenizers import Tokenizer

from convert.sentencepiece_tokenizer import LegacyTokenizer, build_tokenizer, own_ids
from convert.vocabulary import read_vocabulary

_HERE = Path(__file__).parent
_MAX_LENGTH = 64
_PROTOCOLS = range(6)
# Two segmentations with the same score may come in either order: SentencePiece adds the scores of the pieces in
# 32 bits, the tokenizers library in 64. Such rows hold the same ids in another order.
_LARGEST_SHARE_OF_TIES = {"gluonnlp": 0.0005, "kobert": 0.003}


def main(spiece: Path, comments: Path, folder: Path) -> int:
    """Run both proofs; returns the exit code."""
    subprocess.run([_HERE / "gluonnlp_build.sh", folder], check=True)  # noqa: S603  our own script
    reference = [folder / "venv/bin/python", _HERE / "gluonnlp_reference.py", spiece, comments, folder]
    subprocess.run(reference, check=True)  # noqa: S603  our own script
    proven = [_prove_vocabulary(folder), *(_prove_rows(way, spiece, folder) for way in _ways())]
    return 0 if all(proven) else 1


def _ways() -> Sequence[LegacyTokenizer]:
    return ("gluonnlp", "kobert")


def _prove_vocabulary(folder: Path) -> bool:
    reference = json.loads((folder / "vocab.json").read_text())
    equal = 0
    for protocol in _PROTOCOLS:
        vocabulary = read_vocabulary(folder / f"vocab-{protocol}.pkl")
        equal += list(vocabulary.tokens) == reference["tokens"] and vocabulary.token_ids() == reference["ids"]
    click.echo(
        f"vocab.pkl: {equal} of {len(_PROTOCOLS)} protocols read as gluonnlp has it, {len(reference['tokens'])} tokens"
    )
    return equal == len(_PROTOCOLS)


def _prove_rows(way: LegacyTokenizer, spiece: Path, folder: Path) -> bool:
    rows = json.loads((folder / "rows.json").read_text())
    tokenizer = _padded(build_tokenizer(spiece, own_ids(spiece), way))
    encodings = tokenizer.encode_batch(rows["texts"])
    ours = [[encoding.ids, [sum(encoding.attention_mask)], encoding.type_ids] for encoding in encodings]
    different = [(mine, theirs) for mine, theirs in zip(ours, rows[way], strict=True) if mine != theirs]
    ties = sum(sorted(mine[0]) == sorted(theirs[0]) for mine, theirs in different)
    cut = sum(theirs[1] == [_MAX_LENGTH] for theirs in rows[way])
    click.echo(
        f"{way}: {len(ours) - len(different)} of {len(ours)} comments have the same ids, order, padding and truncation "
        f"({cut} were cut); {ties} differ in the order of pieces that score the same, {len(different) - ties} otherwise"
    )
    # A tie at the place where a long comment is cut changes which pieces remain; it counts as a difference.
    return len(different) <= _LARGEST_SHARE_OF_TIES[way] * len(ours)


def _padded(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.enable_truncation(_MAX_LENGTH)
    tokenizer.enable_padding(length=_MAX_LENGTH, pad_id=1, pad_token="[PAD]")  # noqa: S106  not a secret
    return tokenizer


if __name__ == "__main__":
    sys.exit(main(*(Path(argument).resolve() for argument in sys.argv[1:4])))
