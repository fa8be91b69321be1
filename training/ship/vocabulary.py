"""The tokenizer of a bundle, made from an encoder's SentencePiece model or taken over as it is."""

from pathlib import Path

from tokenizers import Tokenizer, decoders

from bundles.format import TOKENIZER_FILE
from bundles.text.sentencepiece import enclose, keep_clusters_apart, read_model, unigram_tokenizer
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
    proto = read_model(path)
    # A comment that spells out `</s>` does not end a text: control tokens score too low ever to be matched.
    pieces = [(piece.piece, piece.score if piece.type == piece.NORMAL else _NEVER) for piece in proto.pieces]
    charsmap = proto.normalizer_spec.precompiled_charsmap
    tokenizer = unigram_tokenizer(pieces, proto.trainer_spec.unk_id, charsmap, keep_clusters_apart())
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    ids = {piece.piece: index for index, piece in enumerate(proto.pieces)}
    enclose(tokenizer, ("<s>", ids["<s>"]), ("</s>", ids["</s>"]))
    return tokenizer
