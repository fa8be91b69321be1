"""The tokenizer of a bundle, made from an encoder's SentencePiece model or taken over as it is."""

from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from bundles.format import TOKENIZER_FILE
from shared.errors import ModelSourceError

SENTENCEPIECE_FILE = "sentencepiece.model"
_NEVER = -100.0  # the rarest piece has about -15


def tokenizer_of(base: Path) -> Tokenizer:
    """The tokenizer in folder `base`: its `tokenizer.json`, or its `sentencepiece.model` converted.

    Raises:
        ModelSourceError: there is neither.
    """
    if (base / TOKENIZER_FILE).is_file():
        tokenizer = Tokenizer.from_file(str(base / TOKENIZER_FILE))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return tokenizer
    if (base / SENTENCEPIECE_FILE).is_file():
        return from_sentencepiece(base / SENTENCEPIECE_FILE)
    raise ModelSourceError(f"{base} has neither {TOKENIZER_FILE} nor {SENTENCEPIECE_FILE}: name a folder that has one")


def from_sentencepiece(path: Path) -> Tokenizer:
    """A unigram SentencePiece model as a `tokenizers` one with the same ids, writing `<s> text </s>`."""
    from sentencepiece import sentencepiece_model_pb2  # noqa: PLC0415  only needed where a model is converted

    proto = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]  # protobuf makes it at run time
    proto.ParseFromString(path.read_bytes())
    # A comment that spells `</s>` out is no end of a text: signs of control score too low ever to be matched.
    pieces = [(piece.piece, piece.score if piece.type == piece.NORMAL else _NEVER) for piece in proto.pieces]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=proto.trainer_spec.unk_id, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap),
            normalizers.Strip(left=True, right=True),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    start, end = (tokenizer.token_to_id(name) for name in ("<s>", "</s>"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", start), ("</s>", end)]
    )
    return tokenizer
