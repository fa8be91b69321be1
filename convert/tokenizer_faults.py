"""Explains what the tokenizers library raises for a damaged or an odd tokenizer, when it reads it or a text."""

from collections.abc import Iterator
from contextlib import contextmanager

from tokenizers import Tokenizer

from convert.samples import CALIBRATION_TEXTS
from shared.errors import ModelSourceError

# Scripts that no Korean vocabulary has: here a tokenizer needs its unknown token.
_RARE_TEXTS = ("ꙮ", "𓀀 ꗃ", "", " ")
# What PyO3 raises where the library, which is in Rust, gives up. No module exports it, and it is no `Exception`.
_PANIC = "PanicException"


@contextmanager
def tokenizer_faults_explained(source: str) -> Iterator[None]:
    """Raise a `ModelSourceError` for whatever the library raises inside; `source` names the model."""
    try:
        yield
    except ModelSourceError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelSourceError(
            f"the tokenizer of {source} cannot be used: {reason}; save it again with "
            "tokenizer.save_pretrained(folder), or download it again"
        ) from error


def try_tokenizer(tokenizer: Tokenizer) -> None:
    """Read texts of many kinds, so that a fault shows here and not as it serves."""
    tokenizer.encode_batch([*CALIBRATION_TEXTS, *_RARE_TEXTS])


def adds_nothing(tokenizer: Tokenizer) -> bool:
    """Whether a text is given no token around it, such as [CLS] and [SEP]."""
    return not tokenizer.encode("").ids
