"""How much of Korean text a tokenizer does not know: one of another model's vocabulary gives itself away."""

from tokenizers import Tokenizer

from convert.samples import SAMPLE_TEXTS
from convert.sentencepiece_tokenizer import unmatched
from shared.errors import ModelSourceError

# A tokenizer of Korean text knows some 99 % of the sample texts; one of a wrong vocabulary less than half.
MOST_UNKNOWN = 0.3


def check_known(tokenizer: Tokenizer, name: str) -> None:
    """Refuse a tokenizer that cannot read Korean, or that was made of another one's vocabulary.

    Raises:
        ModelSourceError: more than `MOST_UNKNOWN` of what it makes of the sample texts is the unknown token.
    """
    unknown = unknown_share(tokenizer)
    if unknown > MOST_UNKNOWN:
        raise ModelSourceError(
            f"{name} does not know {unknown:.0%} of Korean sample texts, so the model would hardly see them: it is the "
            "tokenizer of another model, or was exported wrongly; add the SentencePiece model or the tokenizer.json "
            "that the model was trained with"
        )


def unknown_share(tokenizer: Tokenizer) -> float:
    """Of the tokens of the sample texts, special ones aside, those that are the unknown token."""
    ids = (tokenizer.token_to_id(token) for token in ("[UNK]", unmatched("[UNK]"), "<unk>", unmatched("<unk>")))
    unknown = next((index for index in ids if index is not None), None)
    encoded = tokenizer.encode_batch(list(SAMPLE_TEXTS), add_special_tokens=False)
    tokens = [index for encoding in encoded for index in encoding.ids]
    return tokens.count(unknown) / max(len(tokens), 1) if unknown is not None else 0.0
