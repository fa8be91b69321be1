"""The process that converts one source: `python -m training.convert`, a `ConversionRequest` on stdin."""

import logging
import sys
from pathlib import Path

from training.convert.pipeline import Conversion
from worker.conversion import ConversionRequest
from worker.disk import disk_errors_explained
from worker.own_process import OnReport, answer_request


def convert(request: ConversionRequest, on_report: OnReport) -> dict[str, str]:
    """Convert; the bundle lies in the output folder that the request names."""
    with disk_errors_explained("the converted model", Path(request.output_dir).parent.parent, "CACHE_DIR"):
        Conversion(request, on_report).run()
    return {"bundle": request.output_dir}


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # advice of the libraries to whoever calls them
    sys.exit(answer_request(ConversionRequest, convert))
