"""Makes a tokenizer of the files that transformers' own classes read, where there is no `tokenizer.json`."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import transformers
from tokenizers import Tokenizer

from bundles.files import TOKENIZER_ROLES
from shared.errors import ModelSourceError


def convert_tokenizer(files: Mapping[str, Path], source: str) -> Tokenizer:
    """The tokenizer of a source's `files`, by role.

    Raises:
        ModelSourceError: transformers has no class for them, or one that no `tokenizer.json` can be made of.
    """
    with TemporaryDirectory(prefix="kobert-tokenizer-") as scratch:
        for role in ("config", *TOKENIZER_ROLES):
            if role in files:
                shutil.copyfile(files[role], Path(scratch) / files[role].name)
        try:
            own = transformers.AutoTokenizer.from_pretrained(scratch, trust_remote_code=False, local_files_only=True)
            tokenizer = Tokenizer.from_str(own.backend_tokenizer.to_str())
        except Exception as error:  # transformers raises many kinds of errors for files that do not fit
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise ModelSourceError(
                f"{source} has no tokenizer.json, and transformers cannot make one of its files: {reason}"
            ) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
