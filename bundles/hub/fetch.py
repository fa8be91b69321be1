"""The process that downloads from the Hugging Face Hub: `python -m bundles.hub.fetch`, a `FetchRequest` on stdin.

It is a separate process because the Hub's library would take 25 MB of a worker's memory for good. The library reads
`HF_TOKEN`, `HF_HOME`, `HF_ENDPOINT` and `HF_HUB_OFFLINE`, and resumes interrupted downloads.
"""

import importlib
import sys
from collections.abc import Callable
from dataclasses import replace
from glob import escape
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, TypeVar

import msgspec
from huggingface_hub import HfApi, constants, get_session, get_token, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    IncompleteSnapshotError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import disable_progress_bars

from bundles.adapter import read_adapter_config
from bundles.architecture import check_base, choose_route
from bundles.disk import disk_errors_explained
from bundles.files import SourceFiles, find_sentencepiece, refuse_pickled_head
from bundles.format import MANIFEST_FILE, Manifest
from bundles.hub.repository import FetchRequest
from bundles.inside import choose_inside
from bundles.model_config import ModelConfig, read_model_config
from bundles.own_process import OnReport, Progress, answer_request
from shared.errors import HubUnreachableError, ModelNotFoundError, ModelSourceError

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY, _SERVER_ERROR = 401, 403, 404, 429, 500

# The HTTP library that the Hub's library uses: httpx, or its successor in later versions.
_http: Any = importlib.import_module(type(get_session()).__module__.partition(".")[0])

Result = TypeVar("Result")


def fetch(request: FetchRequest, on_report: OnReport) -> dict[str, str]:
    """Download the files that `request` asks for; returns their folder and the commit."""
    if constants.is_offline_mode():
        return _from_local_cache(request)
    on_report(Progress(f"asking the Hub for {request.name}", 0.0))
    info = explained(
        request.name,
        lambda: HfApi().model_info(request.name, revision=request.revision, timeout=request.timeout_s),
    )
    wanted = _wanted(request, [sibling.rfilename for sibling in info.siblings or []])
    on_report(Progress(f"fetching {len(wanted)} files of {request.name}", 0.0))
    return _result(_download(request, wanted))


def _download(request: FetchRequest, names: list[str]) -> Path:
    """Download these files unless they are there already; returns the folder of the snapshot."""
    return Path(
        explained(
            request.name,
            lambda: snapshot_download(
                request.name,
                revision=request.revision,
                allow_patterns=[escape(name) for name in names],
                etag_timeout=request.timeout_s,
            ),
        )
    )


def _result(folder: Path) -> dict[str, str]:
    return {"folder": str(folder), "commit": folder.name}


def _wanted(request: FetchRequest, names: list[str]) -> list[str]:
    """Names to download: the model's files, or KoBERT's SentencePiece model alone."""
    if request.wanted == "sentencepiece":
        pieces = find_sentencepiece(names)
        if pieces is None:
            raise ModelNotFoundError(f"{request.name} holds no SentencePiece model")
        return [pieces]
    visible = [name for name in names if not name.startswith(".")]
    files = choose_inside(visible, request.inside, request.name)
    if files.kind == "bundle":
        return _bundle_files(request, str(files.manifest))
    return list(_judged(request, files).by_role().values())


def _judged(request: FetchRequest, files: SourceFiles) -> SourceFiles:
    """The files to download, after their configs were: these are judged before anything else is fetched."""
    config = read_model_config(_download(request, [files.config]) / files.config) if files.config else None
    if request.wanted == "base":
        check_base(config or ModelConfig(), request.name)
    if request.wanted != "model":
        return replace(files, onnx=None, onnx_data=None) if files.weights else files
    if files.adapter_config:
        read_adapter_config(_download(request, [files.adapter_config]) / files.adapter_config, request.name)
    if config is None:
        refuse_pickled_head(files, request.name)
        return files
    return choose_route(files, config, request.name)


def _bundle_files(request: FetchRequest, manifest: str) -> list[str]:
    """The files that the manifest of a bundle lists; a repository may hold others beside them."""
    path = _download(request, [manifest]) / manifest
    try:
        listed = msgspec.json.decode(path.read_bytes(), type=Manifest).files
        return [manifest, *(str(PurePosixPath(manifest).with_name(name)) for name in listed)]
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ModelSourceError(f"{MANIFEST_FILE} of {request.name} cannot be read: {error}") from error


def _from_local_cache(request: FetchRequest) -> dict[str, str]:
    """The files of an earlier download, for HF_HUB_OFFLINE."""
    try:
        folder = Path(snapshot_download(request.name, revision=request.revision, local_files_only=True))
    except (LocalEntryNotFoundError, IncompleteSnapshotError, OSError) as error:
        raise HubUnreachableError(
            f"HF_HUB_OFFLINE is set and {request.name} was never downloaded to {constants.HF_HUB_CACHE}"
        ) from error
    return _result(folder)


def explained(name: str, call: Callable[[], Result]) -> Result:
    """Make a call to the Hub and explain any failure in one sentence."""
    with disk_errors_explained("the download from the Hub", Path(constants.HF_HUB_CACHE), "HF_HOME"):
        return _answered(name, call)


def _answered(name: str, call: Callable[[], Result]) -> Result:
    try:
        return call()
    except (RepositoryNotFoundError, RevisionNotFoundError, GatedRepoError, HfHubHTTPError) as error:
        _explain_answer(name, error)
    except (OfflineModeIsEnabled, LocalEntryNotFoundError, _http.TransportError) as error:
        _explain_silence(name, error)
    except HFValidationError as error:
        raise ModelNotFoundError(f"{name} is not the name of a repository on the Hub: {error}") from error


def _explain_answer(name: str, error: Any) -> NoReturn:  # noqa: ANN401  the library's errors share no typed base
    response = getattr(error, "response", None)
    status = response.status_code if response is not None else _NOT_FOUND
    if isinstance(error, GatedRepoError) or status == _FORBIDDEN:
        raise ModelNotFoundError(
            f"{name} is gated, or HF_TOKEN may not read it: accept its terms on {constants.ENDPOINT}/{name} "
            "and set HF_TOKEN"
        ) from error
    if isinstance(error, RevisionNotFoundError):
        raise ModelNotFoundError(f"{name} has no such revision; look at its branches and commits on the Hub") from error
    if status == _UNAUTHORIZED and get_token():
        raise ModelNotFoundError(
            f"the Hub does not accept HF_TOKEN for {name} (401): the token is wrong or expired, or the repository "
            "does not exist"
        ) from error
    if isinstance(error, RepositoryNotFoundError) or status in {_UNAUTHORIZED, _NOT_FOUND}:
        raise ModelNotFoundError(
            f"{name} is not on the Hub, or it is private ({status}): check the name, and set HF_TOKEN if it is private"
        ) from error
    if status == _TOO_MANY or status >= _SERVER_ERROR:
        raise HubUnreachableError(f"the Hub has a problem ({status}); try again later") from error
    raise ModelSourceError(f"the Hub answered {status} for {name}") from error


def _explain_silence(name: str, error: Exception) -> NoReturn:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, HfHubHTTPError):
            _explain_answer(name, cause)
        if isinstance(cause, _http.TimeoutException):
            raise HubUnreachableError(f"{constants.ENDPOINT} did not answer in time (HUB_TIMEOUT_S)") from error
        cause = cause.__cause__ or cause.__context__
    raise HubUnreachableError(f"{constants.ENDPOINT} cannot be reached: no network, or it is down") from error


if __name__ == "__main__":
    if not sys.stderr.isatty():
        disable_progress_bars()
    sys.exit(answer_request(FetchRequest, fetch))
