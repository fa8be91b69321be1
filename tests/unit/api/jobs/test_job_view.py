from api.jobs.pacing import eta_seconds
from api.jobs.schemas import JobOut
from api.jobs.view import show_job
from shared.jobs.records import Job, JobSpec


def job_of(**changes: object) -> Job:
    fields = {
        "id": "job_1", "owner": "o", "status": "in_progress", "spec": JobSpec(format="csv"), "total": 100,
        "completed": 40, "failed": 10, "label_counts": {"clean": 40}, "label_names": ["clean"],
        "times": {"created_at": 1, "expires_at": 9}, "errors": [{"code": "c", "message": "m", "line": 3, "row": 2}],
        "rows_per_s": None,
    }  # fmt: skip
    return Job(**{**fields, **changes})  # type: ignore[arg-type]


def test_the_object_is_what_openapi_says_and_nothing_else() -> None:
    shown = show_job(job_of(), 0.0)
    assert list(shown) == list(JobOut.model_fields)
    assert JobOut.model_validate(shown, strict=True)


def test_the_end_is_told_by_the_jobs_own_speed_then_by_the_workers_then_not_at_all() -> None:
    assert eta_seconds(job_of(rows_per_s=5.0), 1_000.0) == 10
    assert eta_seconds(job_of(), 25.0) == 2
    assert eta_seconds(job_of(), 0.0) is None
    assert eta_seconds(job_of(status="cancelled"), 0.0) == 0
