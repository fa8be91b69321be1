"""Builds a `tokenizer.json` that gives the ids of a SentencePiece model, as KoBERT's users tokenised.

There are two ways, and a checkpoint does not say which one was used in training:

- `kobert`: the text goes to SentencePiece as it is (`KoBERTTokenizer`, `AutoTokenizer` with `skt/kobert-base-v1`);
- `gluonnlp`: `BERTSPTokenizer(..., lower=False)` of SKT's first tutorial. It removes control characters and accents,
  puts spaces around every punctuation mark and Chinese character, and gives SentencePiece the words one by one.

Special tokens are set by the post-processor alone and never matched in a text: a comment that contains "[SEP]" is read
as those five characters, as SentencePiece reads it.
"""

import io
import sys
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, normalizers

from bundles.text.sentencepiece import enclose, keep_clusters_apart, read_model, unigram_tokenizer
from shared.errors import ModelSourceError

# The generated module is untyped.
spiece: Any = sentencepiece_model_pb2

LegacyTokenizer = Literal["kobert", "gluonnlp"]

KOBERT_SPECIALS = ("[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]")
SENTENCEPIECE_SPECIALS = ("<unk>", "<s>", "</s>", "<pad>")
_XLM_SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
_FAIRSEQ_SPECIALS = ("<unk>", "<s>", "</s>")
_NORMAL_PIECE = 1
_ASCII_PUNCTUATION = r"!-/:-@\[-`{-~"


def build_tokenizer(model_path: Path, token_ids: Mapping[str, int], flavour: LegacyTokenizer) -> Tokenizer:
    """Return the tokenizer of the SentencePiece model at `model_path` with the ids of `token_ids` (token to id).

    Raises:
        ModelSourceError: the model is not a unigram SentencePiece model, or a piece of it has no id.
    """
    proto = read_model(model_path)
    pieces = _pieces_by_id(proto, token_ids, model_path)
    first_steps = _split_into_words() if flavour == "gluonnlp" else keep_clusters_apart()
    charsmap = proto.normalizer_spec.precompiled_charsmap
    tokenizer = unigram_tokenizer(pieces, token_ids["[UNK]"], charsmap, first_steps)
    enclose(tokenizer, ("[CLS]", token_ids["[CLS]"]), ("[SEP]", token_ids["[SEP]"]))
    return tokenizer


def build_xlm_tokenizer(model_path: Path) -> Tokenizer:
    """The tokenizer of XLM-R: a SentencePiece model with its own ids, or with fairseq's, after four special tokens.

    Raises:
        ModelSourceError: the model is not a unigram SentencePiece model, or begins with other special tokens.
    """
    proto = read_model(model_path)
    pieces = [(piece.piece, piece.score) for piece in proto.pieces]
    names = tuple(name for name, _ in pieces)
    if names[: len(_XLM_SPECIALS)] == _XLM_SPECIALS:
        kept, end = pieces[len(_XLM_SPECIALS) :], []
    elif names[: len(_FAIRSEQ_SPECIALS)] == _FAIRSEQ_SPECIALS:
        kept, end = pieces[len(_FAIRSEQ_SPECIALS) :], [(unmatched("<mask>"), 0.0)]
    else:
        raise ModelSourceError(f"{model_path.name} begins with {', '.join(names[:4])}, so it is not that of an XLM-R")
    by_id = [*((unmatched(name), 0.0) for name in _XLM_SPECIALS), *kept, *end]
    unknown = _XLM_SPECIALS.index("<unk>")
    tokenizer = unigram_tokenizer(by_id, unknown, proto.normalizer_spec.precompiled_charsmap, keep_clusters_apart())
    enclose(tokenizer, ("<s>", _XLM_SPECIALS.index("<s>")), ("</s>", _XLM_SPECIALS.index("</s>")))
    return tokenizer


def own_ids(model_path: Path) -> dict[str, int]:
    """Ids that the SentencePiece model itself gives its pieces."""
    return {piece.piece: index for index, piece in enumerate(read_model(model_path).pieces)}


def _pieces_by_id(
    proto: Any,  # noqa: ANN401  as above
    token_ids: Mapping[str, int],
    path: Path,
) -> list[tuple[str, float]]:
    scores = {piece.piece: piece.score for piece in proto.pieces if piece.type == _NORMAL_PIECE}
    unknown = sorted(set(scores) - set(token_ids))
    if unknown:
        raise ModelSourceError(
            f"the vocabulary has no id for {len(unknown)} pieces of {path.name}, such as {unknown[0]!r}: "
            "they do not belong together"
        )
    by_id = {index: token for token, index in token_ids.items()}
    return [_scored(by_id.get(index), scores) for index in range(max(by_id) + 1)]


def _scored(token: str | None, scores: Mapping[str, float]) -> tuple[str, float]:
    """A piece with its score. A token that must never match gets a name with a space, which no normalised text has."""
    if token in scores:
        return str(token), scores[str(token)]
    return unmatched(token or "unused"), 0.0


def unmatched(token: str) -> str:
    """The name of a special token in the tokenizer's vocabulary, chosen so that no text can match it."""
    return f"{token} "


def _split_into_words() -> list[normalizers.Normalizer]:
    """The steps of gluonnlp 0.10's `BasicTokenizer(lower=False)`, in its order."""
    return [
        normalizers.Replace(Regex(r"[\t\n\r\p{Zs}]"), " "),
        normalizers.Replace(Regex(r"[\uFFFD\p{Cc}\p{Cf}]"), ""),
        normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False),
        normalizers.NFD(),
        normalizers.Replace(Regex(r"\p{Mn}"), ""),
        normalizers.Precompiled(_spaces_round_punctuation()),
    ]


def _spaces_round_punctuation() -> bytes:
    """A map that puts spaces around every punctuation mark, compiled by SentencePiece's trainer."""
    rules = "".join(
        f"{ord(mark):X}\t20 {ord(mark):X} 20\n" for mark in map(chr, range(sys.maxunicode)) if _splits(mark)
    )
    model = io.BytesIO()
    with TemporaryDirectory() as folder:
        rule_file = Path(folder) / "punctuation.tsv"
        rule_file.write_text(rules, encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["가 나 다"]), model_writer=model, model_type="char", vocab_size=7,
            normalization_rule_tsv=str(rule_file), minloglevel=2,
        )  # fmt: skip
    proto = spiece.ModelProto()
    proto.ParseFromString(model.getvalue())
    return bytes(proto.normalizer_spec.precompiled_charsmap)


def _splits(mark: str) -> bool:
    """Whether gluonnlp splits at `mark`: ASCII that is neither letter nor digit, or a Unicode punctuation category."""
    code = ord(mark)
    ascii_mark = 33 <= code <= 126 and not mark.isalnum()
    return ascii_mark or unicodedata.category(mark).startswith("P")
