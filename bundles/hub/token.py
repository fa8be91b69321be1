"""The user's token for the Hugging Face Hub, as the Hub's own library finds it."""

from huggingface_hub import get_token

from shared.errors import ModelNotFoundError


def require_token() -> None:
    """Check that there is a token; whether it may write, only the Hub can say.

    Raises:
        ModelNotFoundError: there is none.
    """
    if get_token() is None:
        raise ModelNotFoundError("HF_TOKEN is not set; make a token with write access on the Hub and set it")
