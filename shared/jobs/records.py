"""The records of a job: its rows, its chunks, the verdicts on them, and what is known of the job as a whole.

Row numbers start at 0. A chunk is named by the number of its first row, so its halves keep their order.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from shared.options import VerdictOptions
from shared.verdict import Failure, Outcome

Status = Literal["validating", "in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled"]
# Of the record of a job; a process leaves jobs alone whose record is of a later version.
SPEC_VERSION = 1
ENDED: frozenset[Status] = frozenset(("completed", "failed", "expired", "cancelled"))
# The moments of a job's life, as its hash and its JSON name them, in OpenAI's order.
JOB_TIMES = (
    "created_at", "in_progress_at", "finalizing_at", "completed_at", "failed_at", "expired_at", "cancelling_at",
    "cancelled_at", "expires_at",
)  # fmt: skip
_JOB_ID = re.compile(r"job_[0-9a-f]{24}")


def is_job_id(text: str) -> bool:
    """Whether an id is one that the service may have given: what comes from outside could name any key of the store."""
    return _JOB_ID.fullmatch(text) is not None


class Row(msgspec.Struct, array_like=True):
    """One row of a job's input.

    `line` is its line in the file (from 1); `text` is None where it has none that can be read. `fields` is the user's
    row as JSON, its text replaced by null: the cells of a table in the order of its columns, an object as it was sent,
    or nothing but the text. The worker never reads it.
    """

    line: int
    text: str | None
    fields: msgspec.Raw = msgspec.Raw(b"null")
    error: Failure | None = None


@dataclass(frozen=True)
class Verdicts:
    """The outcomes of a chunk's rows, in their order, and which model spoke."""

    label_names: list[str]
    revision: str
    outcomes: list[Outcome]


class Lease(msgspec.Struct, frozen=True):
    """A chunk that a worker holds: `token` proves it, `attempt` counts from 1, `packed_rows` is its input.

    `options` are those of its job, None where the settings decide.
    """

    job_id: str
    first_row: int
    attempt: int
    token: int
    packed_rows: bytes
    options: VerdictOptions | None = None


class JobSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a job that never change after it is accepted.

    `columns` are the names of a table's columns in their order (`column_types` their Arrow types, of parquet), and
    `text_at` the place of the text among them; of an object, `text_column` names the field. `header_row` is the line of
    the file with those names, None where none has them. `options` is what the
    client set of how strict the verdicts are.
    """

    format: str
    encoding: str | None = None
    file_name: str | None = None
    columns: list[str] | None = None
    column_types: list[str] | None = None
    text_at: int = 0
    text_column: str | None = None
    id_column: str | None = None
    header_row: int | None = None
    metadata: dict[str, str] = {}
    webhook_url: str | None = None
    bytes: int = 0
    options: VerdictOptions | None = None
    version: int = SPEC_VERSION


class Webhook(msgspec.Struct, frozen=True):
    """How the webhook of a job stands: `waiting` for its end, `pending`, `delivered`, or `failed` for good.

    `last_error` is a sentence, `next_attempt_at` Unix seconds; both are None where there is none.
    """

    status: Literal["waiting", "pending", "delivered", "failed"]
    attempts: int
    last_error: str | None
    next_attempt_at: int | None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as the ledger has it. Times are Unix seconds; `rows_per_s` is None until two chunks are done.

    `corrected` is how many rows a correction answered.
    """

    id: str
    owner: str
    status: Status
    spec: JobSpec
    total: int
    completed: int
    failed: int
    label_counts: dict[str, int]
    label_names: list[str]
    times: dict[str, int]
    errors: list[dict[str, Any]]
    rows_per_s: float | None
    webhook: Webhook | None = None
    corrected: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether the job is in a final state."""
        return self.status in ENDED

    @property
    def remaining(self) -> int:
        """Rows without an outcome."""
        return self.total - self.completed - self.failed
