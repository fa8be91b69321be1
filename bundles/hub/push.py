"""The process that uploads a bundle to the Hugging Face Hub: `python -m bundles.hub.push`, a `PushRequest` on stdin."""

import sys

from huggingface_hub import HfApi

from bundles.hub.fetch import explained
from bundles.hub.repository import PushRequest
from bundles.hub.token import require_token
from bundles.own_process import OnReport, Progress, answer_request


def push(request: PushRequest, on_report: OnReport) -> dict[str, str]:
    """Create the repository if needed, and commit the folder to it."""
    require_token()
    api = HfApi()
    on_report(Progress(f"making {request.name}", 0.0))
    explained(request.name, lambda: api.create_repo(request.name, private=request.private, exist_ok=True))
    on_report(Progress(f"uploading to {request.name}", 0.2))
    commit = explained(
        request.name,
        lambda: api.upload_folder(
            repo_id=request.name, folder_path=request.folder, commit_message="Upload a model bundle"
        ),
    )
    on_report(Progress("done", 1.0))
    return {"commit": commit.oid}


if __name__ == "__main__":
    sys.exit(answer_request(PushRequest, push))
