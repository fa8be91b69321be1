from typing import get_args

from fakeredis import FakeRedis

from api.access.keyring import Keyring
from api.jobs.options import OptionsCheck
from api.jobs.result_files import MEDIA_TYPES
from api.jobs.schemas import JOB_OPTIONS, JOB_REQUEST, ResultsQuery
from api.jobs.webhook_signature import WebhookSecrets
from api.uploads.applicable import OPTIONS_OF_FILES
from api.uploads.options import UploadOptions
from shared.settings import Settings
from tests.support.job_parts import rules_of_any_model


def test_openapi_lists_every_option_of_an_upload_and_no_other() -> None:
    form = JOB_REQUEST["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    body = JOB_REQUEST["requestBody"]["content"]["application/json"]["schema"]["properties"]

    assert set(JOB_OPTIONS) == set(UploadOptions.__struct_fields__)
    assert set(form) == {*JOB_OPTIONS, "file"}
    assert set(body) == {*JOB_OPTIONS, "texts", "items"} - OPTIONS_OF_FILES


def test_every_value_that_openapi_offers_is_taken() -> None:
    check = OptionsCheck(Settings(), rules_of_any_model(FakeRedis()), WebhookSecrets(Settings(), Keyring()))
    for name, schema in JOB_OPTIONS.items():
        for value in schema.get("enum", []):
            assert getattr(check.check("o", {name: value}), name) == value


def test_every_format_that_results_are_written_in_is_offered() -> None:
    offered = set(get_args(get_args(ResultsQuery.model_fields["format"].annotation)[0]))
    assert set(MEDIA_TYPES) < offered
