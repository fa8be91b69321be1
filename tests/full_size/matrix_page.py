"""The table of the matrix of sources, in docs/own-model.md and its Korean page."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.pages import replace_section
from shared.processors import available_cpus
from tests.full_size.sources import FLOAT_TOLERANCE, SOURCES

# Of the texts whose labels are compared: float differs by rounding alone, which a quarter of them shows.
FLOAT_TEXTS = 50


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one source; logits and tokens are missing of a refused one."""

    source: int
    said: str
    peak_mib: float
    # Of processor time: the conversion's, and what finds its files.
    seconds: float
    comments: int = 0
    # Of the others, those whose tokens are the same ones in another order.
    tokens_equal: int = 0
    tokens_reordered: int = 0
    float_difference: float = 0.0
    answers: int = 0
    labels_equal: int = 0
    # Mean distance of the logits from those of the same int8 weights with float activations: ours, and torch's.
    int8_error: float = 0.0
    torch_error: float | None = None

    def is_right(self, refused: str, float_tolerance: float = FLOAT_TOLERANCE) -> bool:
        """Whether nothing is off; `refused` is in the sentence that refuses the source, if it must be."""
        if refused or self.said:
            return bool(refused) and refused in self.said
        others = self.comments - self.tokens_equal - self.tokens_reordered
        torch_is_further = self.torch_error is None or self.int8_error < self.torch_error
        return others == 0 and self.float_difference < float_tolerance and torch_is_further


def machine(language: str = "en") -> str:
    """The processors, for a figure in a page."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    name = names[0].partition(": ")[2].strip() if names else "?"
    cores = available_cpus()
    return f"{name} 코어 {cores}개" if language == "ko" else f"{cores} core{'s' if cores > 1 else ''} of an {name}"


HEADINGS = {"en": "### Sources tried", "ko": "### 시험한 소스"}
_COLUMNS = {
    "en": (
        "| source | result | tokens equal | float: logits differ by | int8: same label | peak memory | processor time |"
    ),
    "ko": "| 소스 | 결과 | 같은 토큰 | float: logit 차이 최대 | int8: 같은 라벨 | 최대 메모리 | 프로세서 시간 |",
}


def write_pages(rows: Sequence[Row], *, made_up: bool) -> None:
    """Put the table into the English and the Korean page."""
    for language, page in (("en", "own-model.md"), ("ko", "own-model.ko.md")):
        replace_section(page, section(rows, language, made_up=made_up))


def section(rows: Sequence[Row], language: str, *, made_up: bool) -> str:
    """The section of a page, in English (`en`) or Korean (`ko`)."""
    table = "\n".join(_line(row, language) for row in rows)
    return (
        f"{HEADINGS[language]}\n\n{_introduction(rows, language, made_up=made_up)}\n\n"
        f"{_COLUMNS[language]}\n|{'---|' * _COLUMNS[language].count(' |')}\n{table}\n\n{_notes(rows, language)}\n"
    )


def _introduction(rows: Sequence[Row], language: str, *, made_up: bool) -> str:
    read = [row for row in rows if not row.said]
    comments, answers = max(row.comments for row in read), max(row.answers for row in read)
    if language == "ko":
        corpus = "만들어 낸 댓글" if made_up else "댓글"
        return (
            f"`make source-matrix`의 결과입니다({machine(language)}, 다른 작업과 함께 실행).\n"
            "구조와 크기는 공개된 모델과 같고 가중치는 무작위입니다.\n"
            f"토큰은 {corpus} {comments:,}개를 원래 토크나이저와 비교했고,\n"
            f"라벨은 {answers}개를, float logit은 {FLOAT_TEXTS}개를 torch와 비교했습니다.\n"
            "torch로 양자화된 소스는 그 int8 가중치를 float로 계산한 답과,\n"
            "int8 ONNX는 그 파일을 그대로 실행한 답과 비교했습니다."
        )
    corpus = "made-up comments" if made_up else "comments"
    return (
        f"By `make source-matrix`, {machine()} with other work beside it. Architectures and sizes are those of the\n"
        f"published models, the weights are random. Tokens are compared with the reference tokenizer on {comments:,}\n"
        f"{corpus}, labels with torch's on {answers} of them, the logits in float on {FLOAT_TEXTS}; those of a source\n"
        "that torch quantised with its int8 weights computed in float, those of an int8 export with the file itself,\n"
        "run as it is."
    )


def _line(row: Row, language: str) -> str:
    source = SOURCES[row.source - 1]
    name = source.korean if language == "ko" else source.name
    seconds = f"{row.seconds:.0f} {'초' if language == 'ko' else 's'}"
    if row.said:
        result = "거절. 방법을 알려 줌" if language == "ko" else "refused, with the two lines that help"
        return f"| {name} | {result} | | | | {row.peak_mib:,.0f} MiB | {seconds} |"
    tokens = f"{row.tokens_equal:,}" + (f" + {row.tokens_reordered}" if row.tokens_reordered else "")
    result = "변환" if language == "ko" else "converted"
    return (
        f"| {name} | {result} | {tokens} | {row.float_difference:.1e} | {row.labels_equal} | {row.peak_mib:,.0f} MiB "
        f"| {seconds} |"
    )


def _notes(rows: Sequence[Row], language: str) -> str:
    ties = [row for row in rows if row.tokens_reordered]
    errors = [(row.int8_error, row.torch_error) for row in rows if row.torch_error is not None]
    lines = []
    if ties and language == "ko":
        lines.append(
            '"+" 뒤는 같은 토큰이 순서만 다른 댓글입니다("...."을 "..."와 "." 중 어느 쪽부터 자르느냐와 같은 동점).'
        )
    elif ties:
        lines.append(
            'After a "+": comments with the same tokens in another order (ties, such as "...." as "..." and "." in\n'
            "either order)."
        )
    if errors:
        ours, torchs = (f"{min(values):.3f}–{max(values):.3f}" for values in zip(*errors, strict=True))
        lines.append(
            f"torch로 양자화한 소스의 logit은 int8 가중치의\n정확한 값과 평균 {ours}, torch는 {torchs} 다릅니다."
            if language == "ko"
            else f"The logits of what torch quantised are {ours} on average from what the int8 weights say exactly,\n"
            f"torch's own {torchs}."
        )
    return "\n".join(lines)
