"""Signs webhooks as Standard Webhooks (https://www.standardwebhooks.com) says, so that its libraries verify them.

`webhook-id`, `webhook-timestamp`, `webhook-signature: v1,BASE64(HMAC-SHA256(id.timestamp.body))`.
"""

import base64
import binascii
import hashlib
import hmac

from api.access.keyring import Keyring
from shared.settings import Settings

_SECRET_PREFIX = "whsec_"  # noqa: S105  what a Standard Webhooks secret begins with


class WebhookSecrets:
    """Which secret signs whose webhooks."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self._common = settings.webhook_secret
        self._keyring = keyring

    def of_owner(self, owner: str) -> str | None:
        """The secret of the owner's key, or else WEBHOOK_SECRET; None where webhooks are off, or the key has ended."""
        record = self._keyring.record_of(owner)
        if record is None:
            return self._common
        return (record.webhook_secret or self._common) if record.revoked_at is None else None


def signed_headers(secret: str, message_id: str, body: bytes, timestamp: int) -> dict[str, str]:
    """The headers of a delivery; the receiver recomputes the signature from them and from the body."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "User-Agent": "kobert-classifier",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def _key(secret: str) -> bytes:
    if secret.startswith(_SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
        except binascii.Error:
            return secret.encode()
    return secret.encode()
