"""Clients that offer to speak another protocol: the offer is passed over, which RFC 9110 (7.8) allows."""

import re

_UPGRADE = re.compile(rb"(?i)(?<=\n)upgrade(?=:)")


def without_offer(data: bytes) -> bytes:
    """The data with the header `Upgrade` of its first head renamed, and as long as before.

    The parser would stop at an offer and lose the body; Java's HTTP client offers h2c with every request.
    """
    end = data.find(b"\r\n\r\n")
    head = data if end < 0 else data[:end]
    if b"pgrade" not in head and b"PGRADE" not in head:
        return data
    return _UPGRADE.sub(b"x-offer", head) + data[len(head) :]
