"""What a model learns from 200 corrections: how many sentences with the same words, which it has not read, are right.

    OMP_NUM_THREADS=1 python -m bench.teach_corrections [--rows N] [--epochs N] [--smoke]

Words of made-up boards, half of them insults that no model has met, half harmless ones that look like insults, stand in
eight sentences each. Four sentences a word are corrected; `kobert model train` learns them beside sentences of
`training/data/families`; the other four, and the four as they are disguised, are held out. Needs the training extra.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from bundles.format import Bundle, load_bundle
from cli.train import train
from training.data.noise import disguise_text
from training.data.prepare import family_rows
from training.ship.bundle import GraphRunner
from worker.inference.verdict import Judge

EMBEDDED = Path(__file__).resolve().parents[1] / "models" / "default"
SEED = 11
INSULTS = (
    "뿡뿡이 찐막이 쿨찌리 눕클러 벽타기충 탱로남 딜찍누맨 호구마 통나무꾼 빤스런족 유리몸뚱 숟가락맨 야랄이 던짐이 "
    "먹튀새 눈팅쥐 좀비딜러 훈수귀 무지성몹 방생충 도리도리남 버스충이 깡통로봇 감자머리 물렁이"
)
HARMLESS = (
    "시체팔이런 죽창단 머리따기 개돼지국밥 막장떡볶이 똥손캔들 또라이몬 미친존잼전 병맛툰 거지런 폭딜쓰레기통 변태숲 "
    "지옥불반도런 잡것들상점 노예12년빵 호구왓트 식충식물원 등신대 썩은물서버 악질밈방 멍게머리핀 "
    "바보카메라 도둑괭이컵 막가파마늘 돼지런"
)
INSULT_LINES = (
    "야 이 {word} 또 왔네", "너 진짜 {word} 같다", "{word} 수준 실화냐", "역시 {word} 답다",
    "저 {word} 하는 짓 좀 봐", "{word} 들은 나가라", "우리 팀에 {word} 있네", "말하는 꼴이 딱 {word}",
)  # fmt: skip
HARMLESS_LINES = (
    "오늘 {word} 같이 하실 분", "{word} 공략 올려요", "어제 산 {word} 후기", "{word} 재밌어요 추천",
    "{word} 몇 시에 열어요?", "신상 {word} 나왔대요", "{word} 덕분에 즐거웠어요", "친구랑 {word} 갔다 왔어요",
)  # fmt: skip
CORRECTED_LINES = 4

Labelled = list[tuple[str, str]]


def sentences(lines: slice) -> Labelled:
    """Sentences with what they should be called."""
    return [
        *((line.format(word=word), "insult") for word in INSULTS.split() for line in INSULT_LINES[lines]),
        *((line.format(word=word), "clean") for word in HARMLESS.split() for line in HARMLESS_LINES[lines]),
    ]


def disguised(texts: Labelled) -> Labelled:
    """The insults among them, each with one word disguised."""
    generator = np.random.default_rng(SEED)
    return [(disguise_text(text, generator), label) for text, label in texts if label == "insult"]


def write_table(path: Path, rows: int) -> None:
    """A table of a board: sentences that were written for the families, each with its first label."""
    known = family_rows()
    chosen = [known[at] for at in np.random.default_rng(SEED).permutation(len(known))[:rows]] if rows else known
    with path.open("w", encoding="utf-8") as file:
        for row in chosen:
            label = next((name for name, value in row.targets.items() if value == 1 and name != "any"), "clean")
            file.write(json.dumps({"text": row.text, "label": label.partition("/")[0]}) + "\n")


def share_right(bundle: Bundle, texts: Labelled) -> float:
    """Of the texts, as the service would answer them with this bundle."""
    judge = Judge(bundle.config, {})
    logits = GraphRunner.of_bundle(bundle, threads=1).logits([text for text, _ in texts])
    said = [judge.judge([row]).classification for row in logits]
    return sum(one == label for one, (_, label) in zip(said, texts, strict=True)) / len(texts)


def teach(folder: Path, options: Sequence[str]) -> Bundle:
    """The bundle that `kobert model train --corrections-file` makes."""
    with (folder / "corrections.jsonl").open("w", encoding="utf-8") as file:
        for text, label in sentences(slice(CORRECTED_LINES)):
            file.write(json.dumps({"text": text, "classification": label}) + "\n")
    words = [str(folder / "table.jsonl"), "--output", str(folder / "taught"), *options]
    done = CliRunner().invoke(train, [*words, "--corrections-file", str(folder / "corrections.jsonl")])
    if done.exit_code:
        raise SystemExit(f"{done.output}\n{done.exception!r}")
    sys.stdout.write(done.stdout)
    return load_bundle(folder / "taught")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    others = sentences(slice(CORRECTED_LINES, None))
    held_out = {
        "other sentences": others,
        "corrected ones in disguise": disguised(sentences(slice(CORRECTED_LINES))),
        "other ones in disguise": disguised(others),
    }
    before = load_bundle(EMBEDDED)
    with tempfile.TemporaryDirectory(prefix="kobert-teach-") as folder:
        write_table(Path(folder) / "table.jsonl", 200 if options.smoke else options.rows)
        started = time.perf_counter()
        after = teach(Path(folder), ["--epochs", "1" if options.smoke else str(options.epochs), "--max-length", "64"])
        sys.stdout.write(f"\ntaught in {time.perf_counter() - started:.0f} s\n")
        for name, texts in held_out.items():
            sys.stdout.write(f"{name:<28} {len(texts):>4}   right before {share_right(before, texts):.3f}, "
                             f"after {share_right(after, texts):.3f}\n")  # fmt: skip


if __name__ == "__main__":
    main()
