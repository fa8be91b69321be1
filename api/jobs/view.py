"""The job object that clients see: OpenAI's Batch object with extra fields for moderators."""

from typing import Any

import msgspec

from api.jobs.pacing import eta_seconds
from shared.jobs.records import ENDED, JOB_TIMES, Job
from shared.span_options import MaskStyle


def show_job(job: Job, fleet_texts_per_s: float, root_path: str = "") -> dict[str, Any]:
    """The object as JSON values; `fleet_texts_per_s` helps to guess the end before the job has a speed of its own.

    `root_path` is the prefix under which clients reach the service: empty, or `/something`.
    """
    path = f"{root_path}/jobs/{job.id}"
    return {
        "id": job.id,
        "object": "job",
        "status": job.status,
        "request_counts": {"total": job.total, "completed": job.completed, "failed": job.failed},
        "label_counts": job.label_counts,
        **({"corrected": job.corrected} if job.corrected else {}),
        "rows_per_s": job.rows_per_s,
        "eta_seconds": eta_seconds(job, fleet_texts_per_s),
        **{name: job.times.get(name) for name in JOB_TIMES},
        "errors": {"object": "list", "data": job.errors} if job.errors else None,
        "results_partial": is_partial(job),
        "format": job.spec.format,
        "encoding": job.spec.encoding,
        "file_name": job.spec.file_name,
        "text_column": job.spec.text_column,
        **({} if job.spec.header_row is None else {"header_row": job.spec.header_row}),
        "metadata": job.spec.metadata,
        **_verdict_options(job),
        **({} if job.webhook is None else {"webhook": msgspec.structs.asdict(job.webhook)}),
        "links": {
            "self": path,
            "results": f"{path}/results",
            "errors": f"{path}/errors",
            "events": f"{path}/events",
            "cancel": f"{path}/cancel",
        },
    }


def _verdict_options(job: Job) -> dict[str, Any]:
    """What the client set about the verdicts; nothing where the settings decide."""
    options = job.spec.options
    if options is None:
        return {}
    style = options.mask or MaskStyle()
    policy = options.policy
    shown = {
        "strictness": options.strictness,
        "thresholds": dict(options.thresholds),
        "policy": None if policy is None else {"name": policy.name, "version": policy.version},
        "details": options.details,
        "explain": options.explain,
        "mask": options.mask is not None,
        "mask_char": style.char,
        "mask_keep_first": style.keep_first,
        "mask_labels": list(style.labels or ()),
        "offsets": options.offsets if options.explain else None,
    }
    return {name: value for name, value in shown.items() if value}


def is_partial(job: Job) -> bool:
    """Whether the results would lack rows now."""
    return job.remaining > 0 or job.status not in ENDED
