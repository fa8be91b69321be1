"""A SentencePiece model as a tokenizer of the `tokenizers` library that gives the same ids.

Needs the package `sentencepiece` (the convert extra); a worker never imports this module.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

from shared.errors import ModelSourceError

SPACE_MARK = "▁"
_NONCHARACTER = "\ufdd0"
_FINAL_CLUSTERS = "ㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄ"


def read_model(path: Path) -> Any:  # noqa: ANN401  the generated class has no types
    """Parse a unigram SentencePiece model file.

    Raises:
        ModelSourceError: it is not one.
    """
    from sentencepiece import sentencepiece_model_pb2  # noqa: PLC0415  only needed where a model is converted

    spiece: Any = sentencepiece_model_pb2
    proto = spiece.ModelProto()
    try:
        proto.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's DecodeError has no stable import path between its implementations
        raise ModelSourceError(f"{path.name} is not a SentencePiece model") from error
    if not proto.pieces or proto.trainer_spec.model_type != spiece.TrainerSpec.UNIGRAM:
        raise ModelSourceError(f"{path.name} is not a unigram SentencePiece model")
    _refuse_other_options(proto, path)
    return proto


def _refuse_other_options(proto: Any, path: Path) -> None:  # noqa: ANN401  as above
    """Refuse a model that reads texts in ways which the tokenizer made here does not know: its ids would differ."""
    options = {
        "add_dummy_prefix=false": not proto.normalizer_spec.add_dummy_prefix,
        "remove_extra_whitespaces=false": not proto.normalizer_spec.remove_extra_whitespaces,
        "byte_fallback=true": proto.trainer_spec.byte_fallback,
        "treat_whitespace_as_suffix=true": proto.trainer_spec.treat_whitespace_as_suffix,
    }
    found = [name for name, is_set in options.items() if is_set]
    if found:
        raise ModelSourceError(
            f"{path.name} was trained with {', '.join(found)}, which is not read from a SentencePiece model; add the "
            "tokenizer.json that transformers makes of it"
        )


def unigram_tokenizer(
    pieces: Sequence[tuple[str, float]],
    unknown_id: int,
    charsmap: bytes,
    first_steps: Sequence[normalizers.Normalizer] = (),
) -> Tokenizer:
    """A tokenizer of `pieces` (text, log probability) in the order of their ids.

    `charsmap` is the model's own normalisation, empty if it has none; `first_steps` are applied before it.
    """
    tokenizer = Tokenizer(models.Unigram(list(pieces), unk_id=unknown_id, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            *first_steps,
            *([normalizers.Precompiled(charsmap)] if charsmap else []),
            # SentencePiece joins loose jamo ("ㄱㅣ사" becomes "기사") and the Rust port does not, so NFC does.
            normalizers.NFC(),
            normalizers.Replace(_NONCHARACTER, ""),
            normalizers.Replace(Regex(" {2,}"), " "),
            normalizers.Strip(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE_MARK, prepend_scheme="always", split=True)
    return tokenizer


def enclose(tokenizer: Tokenizer, start: tuple[str, int], end: tuple[str, int]) -> None:
    """Put a token (name, id) before and one after every text."""
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start[0]} $A {end[0]}", special_tokens=[start, end]
    )


def keep_clusters_apart() -> list[normalizers.Normalizer]:
    """Keep NFC from joining a syllable and a loose cluster after it ("이ㅄ"), which SentencePiece leaves apart."""
    return [
        normalizers.Replace(Regex(f"(?<=[가-힣]){cluster}"), _NONCHARACTER + cluster) for cluster in _FINAL_CLUSTERS
    ]
