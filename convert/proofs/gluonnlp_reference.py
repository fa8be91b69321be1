"""Writes the reference output of gluonnlp 0.10.0. Runs in the environment of `gluonnlp_build.sh`, without our code.

    python gluonnlp_reference.py SPIECE COMMENTS.jsonl OUTPUT_FOLDER

Writes `vocab-<protocol>.pkl` (a genuine `BERTVocab`), `vocab.json` (its tokens and ids) and `rows.json`: for each
comment what `BERTSentenceTransform` gives with `BERTSPTokenizer` and with SentencePiece alone, padded to 64.
"""

import json
import pickle  # noqa: TID251  gluonnlp's users pickled their vocabulary; this writes what the reader must read
import sys
from pathlib import Path
from typing import Any

import gluonnlp
import sentencepiece

MAX_LENGTH = 64
COMMENTS = 10_000


def main(spiece: str, comments: str, output: Path) -> None:
    """Write everything."""
    vocabulary = gluonnlp.vocab.BERTVocab.from_sentencepiece(spiece, padding_token="[PAD]")  # noqa: S106  not a secret
    for protocol in range(6):
        (output / f"vocab-{protocol}.pkl").write_bytes(pickle.dumps(vocabulary, protocol=protocol))
    ids = {token: vocabulary[token] for token in vocabulary.idx_to_token}
    (output / "vocab.json").write_text(json.dumps({"tokens": vocabulary.idx_to_token, "ids": ids}))
    lines = Path(comments).read_text(encoding="utf-8").splitlines()[:COMMENTS]
    texts = [json.loads(line)["text"] for line in lines]
    rows = {"texts": texts, **{way: _rows(way, spiece, vocabulary, texts) for way in ("gluonnlp", "kobert")}}
    (output / "rows.json").write_text(json.dumps(rows))


def _rows(way: str, spiece: str, vocabulary: Any, texts: list[str]) -> list[list[list[int]]]:  # noqa: ANN401  untyped
    transform = gluonnlp.data.BERTSentenceTransform(
        _tokenizer(way, spiece, vocabulary), max_seq_length=MAX_LENGTH, vocab=vocabulary, pad=True, pair=False
    )
    return [[part.tolist() if part.ndim else [int(part)] for part in transform((text,))] for text in texts]


def _tokenizer(way: str, spiece: str, vocabulary: Any) -> Any:  # noqa: ANN401  untyped
    encode = sentencepiece.SentencePieceProcessor(model_file=spiece).EncodeAsPieces
    if way == "kobert":
        return encode
    tokenizer = gluonnlp.data.BERTSPTokenizer(spiece, vocabulary, lower=False)
    # Its own wrapper asks for samples with nbest 0, "no sampling", which SentencePiece no longer takes.
    tokenizer.sentencepiece = encode
    return tokenizer


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
