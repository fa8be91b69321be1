"""What thousands of denied and allowed words cost: texts a second of one worker with a policy and without, in turns.

    python -m bench.policy_words [--entries N] [--texts N] [--rounds N] [--smoke]

In one process, with the included model and the bulk path, which is the fastest: the share of the words is largest
there. One entry in a hundred is a word of the texts themselves.
"""

import argparse
import itertools
import random
import statistics
import sys
import time
from pathlib import Path

from bundles.text.hangul import FIRST_SYLLABLE, LAST_SYLLABLE
from shared.options import PolicyRef, VerdictOptions
from shared.policies.records import AllowedTerm, DeniedTerm, Policy
from shared.settings import load_settings
from worker.main import build_classifier
from worker.rules.hits import HitCounter
from worker.rules.policies import PolicyRules

SLICE_TEXTS = 64
DATA = Path(__file__).parents[1] / "tests" / "data"
REF = PolicyRef("bench", 1, "00")
POLICY = VerdictOptions(policy=REF)
NONE = VerdictOptions()


class OnePolicy:
    """A store of one policy, and of the hits that nobody reads."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def read(self, _ref: PolicyRef) -> Policy:
        return self._policy


def texts_for(count: int) -> list[str]:
    lines = [line.rpartition("\t")[2] for name in ("harmless", "innocent", "abusive") for line in _rows(name)]
    return list(itertools.islice(itertools.cycle(lines), count))


def _rows(name: str) -> list[str]:
    return (DATA / f"{name}.tsv").read_text().splitlines()[1:]


def policy_of(entries: int, texts: list[str]) -> Policy:
    """Words of three syllables by chance, and some of the texts, so that some fire; one entry in ten is allowed."""
    chance = random.Random(0)
    words = sorted({word for text in texts for word in text.split() if len(word) > 2})
    own = chance.sample(words, min(len(words), entries // 100))
    made: set[str] = set()
    while len(made) < entries - len(own):
        made.add("".join(chr(chance.randint(FIRST_SYLLABLE, LAST_SYLLABLE)) for _ in range(3)))
    terms = [*own, *made]
    return Policy(
        deny=tuple(
            DeniedTerm(term, match="part" if place % 2 else "word") for place, term in enumerate(terms) if place % 10
        ),
        allow=tuple(map(AllowedTerm, terms[::10])),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--texts", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    rounds = 2 if options.smoke else options.rounds
    texts = texts_for(200 if options.smoke else options.texts)
    policy = policy_of(options.entries, texts)
    store = OnePolicy(policy)
    rules = PolicyRules(store, HitCounter(store))  # type: ignore[arg-type]  # it has what is used of both
    classifier = build_classifier(load_settings(), rules=rules)
    started = time.perf_counter()
    words = rules.words(REF)
    built_s = time.perf_counter() - started

    def measure(choice: VerdictOptions) -> tuple[float, float]:
        begun, begun_cpu = time.perf_counter(), time.process_time()
        for start in range(0, len(texts), SLICE_TEXTS):
            classifier.outcomes_in_order(texts[start : start + SLICE_TEXTS], choice)
        return len(texts) / (time.perf_counter() - begun), len(texts) / (time.process_time() - begun_cpu)

    speeds: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for number in range(rounds + 1):
        for has_policy in [False, True] if number % 2 else [True, False]:
            speed = measure(POLICY if has_policy else NONE)
            if number:  # the first warms up
                speeds[has_policy].append(speed)
    fired = sum(len(words.find(text).matches) for text in texts)
    sys.stdout.write(
        f"{policy.entries:,} entries (read in {built_s * 1000:.0f} ms), {len(texts):,} texts, {fired:,} matches, "
        f"median of {rounds} rounds in turns\n"
    )
    for which, unit in enumerate(("texts/s", "texts per CPU second")):
        plain, ruled = ([speed[which] for speed in speeds[has_policy]] for has_policy in (False, True))
        ratio = statistics.median(with_policy / without for without, with_policy in zip(plain, ruled, strict=True))
        sys.stdout.write(
            f"{statistics.median(plain):,.0f} {unit} without, {statistics.median(ruled):,.0f} with, ratio {ratio:.3f}\n"
        )
    classifier.batcher.close()


if __name__ == "__main__":
    main()
