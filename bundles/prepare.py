"""Downloads and converts the model that MODEL names, then ends: `python -m bundles.prepare`.

Run it in a container that has torch. The containers that serve need no torch: they find the bundle in the cache.
"""

import sys

from bundles.sources.resolver import resolve
from shared.errors import KobertError
from shared.log import configure_logging, get_logger
from shared.settings import load_settings

log = get_logger(__name__)

EXIT_FAILED = 1


def main() -> int:
    """Resolve MODEL with settings from the environment; returns the exit code."""
    try:
        settings = load_settings()
        configure_logging(settings, "prepare")
        bundle = resolve(settings)
    except KobertError as error:
        sys.stderr.write(f"kobert model: {error.message}\n")
        return EXIT_FAILED
    log.info("model_ready", model=bundle.config.name, revision=bundle.revision)
    return 0


if __name__ == "__main__":
    sys.exit(main())
