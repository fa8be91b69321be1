"""What one pass of the engine costs by batch size and length: where `MAX_BATCH_TOKENS` and the padding limit come from.

    python -m bench.passes [--model NAME] [--smoke]

Prints thousands of tokens a second, the median of the passes of each shape; the shapes take turns, so that a noisy
machine disturbs all of them alike.
"""

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence

from bundles.sources.resolver import resolve
from shared.settings import load_settings
from worker.inference.engines.onnx import OnnxEngine

LENGTHS = (12, 22, 40, 64)
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)
FIRST_ID = 5


def measure(
    engine: OnnxEngine, passes: int, lengths: Sequence[int], batch_sizes: Sequence[int]
) -> dict[tuple[int, int], float]:
    """Median seconds of a pass, by (length, batch size)."""
    seconds: dict[tuple[int, int], list[float]] = defaultdict(list)
    for _ in range(passes):
        for length in lengths:
            for size in batch_sizes:
                rows = [[FIRST_ID + (row * length + i) % 1000 for i in range(length)] for row in range(size)]
                started = time.perf_counter()
                engine.run(rows)
                seconds[length, size].append(time.perf_counter() - started)
    return {shape: statistics.median(values) for shape, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--passes", type=int, default=15)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    settings = load_settings(model=options.model)
    sizes = BATCH_SIZES[:3] if options.smoke else BATCH_SIZES
    bundle = resolve(settings)
    # A model reads no more than `max_length` tokens at once.
    lengths = [length for length in LENGTHS if length <= bundle.config.max_length]
    engine = OnnxEngine(bundle, settings.pass_threads)
    medians = measure(engine, 2 if options.smoke else options.passes, lengths, sizes)
    sys.stdout.write("thousand tokens/s  " + "".join(f"{f'x{size}':>8}" for size in sizes) + "\n")
    for length in lengths:
        speeds = (length * size / medians[length, size] / 1000 for size in sizes)
        sys.stdout.write(f"{length:>3} tokens a row   " + "".join(f"{speed:8.1f}" for speed in speeds) + "\n")


if __name__ == "__main__":
    main()
