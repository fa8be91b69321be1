"""A task as Celery's producer writes it: message protocol 2, in the envelope in which kombu keeps it in Redis.

Written here because Celery's client blocks, and costs as much as the model's work on a text. The documents are
https://docs.celeryq.dev/en/stable/internals/protocol.html and kombu's `transport/virtual/base.py`; a test holds the two
equal.
"""

import base64
import os
import socket
import uuid
from typing import Any

import msgspec

from shared.tasks import QUEUED_AT_HEADER

# Celery would otherwise copy the texts into a message header, for its logs.
HIDDEN_ARGUMENTS = "(texts)"
# Celery's for a message that Redis should keep on its disk.
PERSISTENT = 2

_NO_CALLBACKS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
_ENCODING = {"content-encoding": "utf-8", "content-type": "application/json"}
_PLAIN_TASK: dict[str, Any] = {
    "lang": "py",
    "shadow": None,
    "eta": None,
    "expires": None,
    "group": None,
    "group_index": None,
    "retries": 0,
    "timelimit": [None, None],
    "parent_id": None,
    "argsrepr": HIDDEN_ARGUMENTS,
    "kwargsrepr": "{}",
    "ignore_result": True,
    "replaced_task_nesting": 0,
    "stamped_headers": None,
    "stamps": {},
}

_encode = msgspec.json.Encoder().encode


def compose(task: str, queue: str, argument: str, reply_to: str, now: float) -> bytes:
    """One message for the list of `queue`: `task` with one argument, queued at Unix time `now`."""
    task_id = str(uuid.uuid4())
    body = _encode(([argument], {}, _NO_CALLBACKS))
    headers = {
        **_PLAIN_TASK,
        "task": task,
        "id": task_id,
        "root_id": task_id,
        "origin": f"{os.getpid()}@{socket.gethostname()}",
        QUEUED_AT_HEADER: now,
    }
    properties = {
        "correlation_id": task_id,
        "reply_to": reply_to,
        "argsrepr": HIDDEN_ARGUMENTS,
        "delivery_mode": PERSISTENT,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid.uuid4()),
    }
    return _encode({"body": base64.b64encode(body).decode(), **_ENCODING, "headers": headers, "properties": properties})
