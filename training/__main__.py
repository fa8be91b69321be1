"""`python -m training`: the pipeline from the command line; `make model` and its kin are wrapped around it."""

import argparse
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

from shared.errors import KobertError
from training.pipeline import Output, run_pipeline
from training.plan import PLANS
from training.stages import go_on_from_bundle
from training.workspace import EMBEDDED, Workspace

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Parse, run, and say in one sentence what went wrong. Returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    options = _parser().parse_args()
    plan = PLANS[options.plan]
    if options.bundle:
        plan = replace(plan, bundles=tuple(options.bundle))
    space = Workspace(
        plan,
        options.base or _default_base(options.plan),
        options.work,
        _data(options),
        options.start,
        options.corrections,
    )
    try:
        if options.go_on:
            go_on_from_bundle(space)
        run_pipeline(space, Output(options.models, options.docs))
    except KobertError as error:
        logging.getLogger(__name__).error("%s", error.message)  # noqa: TRY400  a sentence, not a trace
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--plan", choices=sorted(PLANS), default="full", help="how much to train")
    parser.add_argument(
        "--data", type=Path, help="folder of the labelled files (default: $KOBERT_DATA, ../shared/data)"
    )
    parser.add_argument("--base", type=Path, help="folder of the encoder to start from")
    parser.add_argument("--start", type=Path, default=EMBEDDED, help="bundle whose encoder the students start from")
    parser.add_argument(
        "--go-on",
        action="store_true",
        help="run the last rounds only: the others made the bundle to start from",
    )
    parser.add_argument("--corrections", type=Path, help="answers that people put right, to be learnt: .jsonl or .csv")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "model", help="where checkpoints are kept")
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="where bundles are written")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the report is written")
    parser.add_argument(
        "--bundle", action="append", choices=("default", "sentiment"), help="only this bundle; may repeat"
    )
    return parser


def _data(options: argparse.Namespace) -> Path | None:
    if options.data or options.plan == "smoke":
        return options.data or None
    named = os.environ.get("KOBERT_DATA")
    return Path(named) if named else ROOT.parent / "shared" / "data"


def _default_base(plan: str) -> Path:
    return EMBEDDED if plan == "smoke" else ROOT.parent / "shared" / "models" / "e5-small-ko"


if __name__ == "__main__":
    sys.exit(main())
