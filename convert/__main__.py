"""The process that converts one source: `python -m convert`, a `ConversionRequest` on stdin."""

import logging
import sys
from pathlib import Path

from bundles.disk import disk_errors_explained
from bundles.own_process import OnReport, answer_request
from bundles.sources.conversion import ConversionRequest
from convert.pipeline import Conversion


def convert(request: ConversionRequest, on_report: OnReport) -> dict[str, str]:
    """Convert; writes the bundle to the request's output folder."""
    with disk_errors_explained("the converted model", Path(request.output_dir).parent.parent, "CACHE_DIR"):
        Conversion(request, on_report).run()
    return {"bundle": request.output_dir}


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # hints for the callers of the libraries
    sys.exit(answer_request(ConversionRequest, convert))
