from api.jobs.pacing import eta_seconds
from api.jobs.schemas import JobOut
from api.jobs.view import show_job
from shared.jobs.records import Job, JobSpec, Webhook
from shared.options import PolicyRef, VerdictOptions
from shared.span_options import MaskStyle


def job_of(**changes: object) -> Job:
    fields = {
        "id": "job_1", "owner": "o", "status": "in_progress", "spec": JobSpec(format="csv"), "total": 100,
        "completed": 40, "failed": 10, "label_counts": {"clean": 40}, "label_names": ["clean"],
        "times": {"created_at": 1, "expires_at": 9}, "errors": [{"code": "c", "message": "m", "line": 3, "row": 2}],
        "rows_per_s": None,
    }  # fmt: skip
    return Job(**{**fields, **changes})  # type: ignore[arg-type]


def test_the_object_is_what_openapi_says_and_nothing_else() -> None:
    mask = MaskStyle("#", keep_first=True, labels=("curse",))
    policy = PolicyRef("board", 3, "00")
    options = VerdictOptions(
        "strict", (("curse", 0.4), ("insult", 0.6)), explain=True, mask=mask, policy=policy, details=True
    )
    shown = show_job(
        job_of(
            spec=JobSpec(format="csv", header_row=1, options=options),
            webhook=Webhook("pending", 1, "slow", 9),
            corrected=2,
        ),
        0.0,
    )

    assert list(shown) == list(JobOut.model_fields)
    assert JobOut.model_validate(shown, strict=True)
    assert (shown["strictness"], shown["thresholds"]) == ("strict", {"curse": 0.4, "insult": 0.6})


def test_options_of_a_verdict_are_shown_where_the_client_set_them() -> None:
    def names_with(options: VerdictOptions | None) -> set[str]:
        shown = show_job(job_of(spec=JobSpec(format="csv", header_row=1, options=options)), 0.0)
        assert JobOut.model_validate(shown, strict=True)
        return set(shown) & {"strictness", "thresholds"}

    assert names_with(None) == set()
    assert names_with(VerdictOptions("lenient")) == {"strictness"}
    assert names_with(VerdictOptions(None, (("curse", 0.4),))) == {"thresholds"}


def test_the_end_is_told_by_the_jobs_own_speed_then_by_the_workers_then_not_at_all() -> None:
    assert eta_seconds(job_of(rows_per_s=5.0), 1_000.0) == 10
    assert eta_seconds(job_of(), 25.0) == 2
    assert eta_seconds(job_of(), 0.0) is None
    assert eta_seconds(job_of(status="cancelled"), 0.0) == 0
