"""What the cascade answers, what that changes, and what it saves: the same texts with CASCADE on and off, in turns.

    python -m bench.cascade                    50,000 held-out texts, the test sets, and bad texts padded: ten minutes
    python -m bench.cascade --write            also puts the tables into docs/performance/cascade.md
    python -m bench.cascade --data FOLDER      the labelled files (default: $KOBERT_DATA, ../shared/data)
    python -m bench.cascade --smoke            bench/comments.txt alone, a few seconds

The texts are those that the cascade's certificate was measured on (`training/data/parts.py`). Engine, tokenizer and
classifier are the worker's, in messages of 32 texts; queue and HTTP, which cost the same with and without, are not
measured. What the model finds not clean in dev rows and `tests/data` is read again between pleasant sentences, of which
the table might make too much: those of `tests/data/pleasant.txt`, and those that the table holds for the cleanest of
all held-out texts. Processor time counts on a busy machine, texts per second only on a quiet one.
"""

import argparse
import sys
from pathlib import Path

from bench.cascade.padded import read_padded
from bench.cascade.report import tables, write
from bench.cascade.sides import Bench
from bench.cascade.texts import data_folder, held_and_dev, test_texts
from bundles.sources.resolver import resolve
from shared.settings import load_settings
from worker.inference.cascade import Cascade, build_cascade
from worker.inference.verdict import Judge


def has_cascade(model: str) -> bool:
    """Whether the model has one that can be used."""
    bundle = resolve(load_settings(model=model))
    return isinstance(build_cascade(bundle, Judge(bundle.config, {})), Cascade)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--count", type=int, default=50_000, help="held-out texts")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    folder = data_folder(options.data)
    if options.smoke and not has_cascade(options.model):
        sys.stdout.write("the model has no cascade\n")
        return
    named, dev = held_and_dev(folder, options.count, smoke=options.smoke)
    bench = Bench(options.model)
    try:
        bench.run(named)
        if not options.smoke:
            bench.run(test_texts())
            bench.judge("tests/field", [row.text for row in dev if row.source == "field"])
            read_padded(bench, [text for _, text in named], dev)
        found = tables(bench, len(named), dev)
    finally:
        bench.close()
    sys.stdout.write(found)
    if options.write:
        write(found)


if __name__ == "__main__":
    main()
