"""The answer to a text without a verdict."""

from shared.errors import KobertError, PredictionFailedError
from shared.log import get_logger
from shared.messages import Answer, TextItem
from shared.verdict import Failure

log = get_logger(__name__)


def failed(item: TextItem, error: Exception, tokenization_s: float) -> Answer:
    """The answer to a text that ended as `error`. One that nobody foresaw is logged; the client learns its class."""
    if not isinstance(error, KobertError):
        log.error("text_failed", error_type=type(error).__name__, exc_info=error)
        error = PredictionFailedError(f"the text could not be judged ({type(error).__name__})")
    return Answer(id=item.id, failure=Failure(error.code, error.message), tokenization_s=tokenization_s)
