"""The section of the pages on models of one's own that shows heads that were really trained."""

from collections.abc import Sequence

import msgspec

from bundles.record import MANY_CHANGED
from tests.full_size.matrix_page import machine


class Result(msgspec.Struct, frozen=True):
    """One family on the dev rows.

    `base` is what it was trained from, with its layers, their width, and how many of them were trained.
    """

    base: str
    layers: int
    width: int
    learnt: int

    family: str
    rows: int
    float_difference: float
    labels_equal: int
    accuracy_of_torch: float
    accuracy_of_int8: float


HEADINGS = {"en": "### With trained heads", "ko": "### 실제로 학습한 분류 헤드"}
_COLUMNS = {
    "en": "| encoder | family | float: logits differ by | int8: same label | accuracy, torch float | accuracy, int8 |",
    "ko": "| 인코더 | 구조 | float: logit 차이 최대 | int8: 같은 라벨 | 정확도, torch float | 정확도, int8 |",
}


def section(results: Sequence[Result], language: str) -> str:
    """The section of a page, in English (`en`) or Korean (`ko`)."""
    rows = results[0].rows
    encoders = {result.base: (result.layers, result.width, result.learnt) for result in results}
    if language == "ko":
        told = ", ".join(
            f"`{base}`({layers}층, 너비 {width}, 위쪽 {learnt}층을 학습)"
            for base, (layers, width, learnt) in encoders.items()
        )
        said = (
            f"`make trained-heads`의 결과입니다({machine(language)}).\n인코더: {told}.\n"
            "인코더를 BEEP! 댓글로 학습하고, 그 가중치를 각 구조로 옮겨 헤드를 학습했습니다.\n"
            f"학습에 쓰지 않은 댓글 {rows}개로 쟀습니다."
        )
    else:
        told = ", ".join(
            f"`{base}` ({layers} layers of {width}, the upper {learnt} trained)"
            for base, (layers, width, learnt) in encoders.items()
        )
        said = (
            f"By `make trained-heads`, {machine()}. Encoders: {told}.\n"
            "Each was trained on comments of BEEP!, its weights carried over to each family, and a head of the family\n"
            f"trained. Measured on {rows} comments that were not trained on."
        )
    lines = [
        f"| `{result.base}` | {result.family} | {result.float_difference:.1e} | {result.labels_equal} / {result.rows} "
        f"| {result.accuracy_of_torch:.3f} | {result.accuracy_of_int8:.3f} |"
        for result in results
    ]
    table = "\n".join([_COLUMNS[language], "|---|---|---|---|---|---|", *lines])
    return f"{HEADINGS[language]}\n\n{said}\n\n{table}\n{_above_the_bound(results, language)}"


def _above_the_bound(results: Sequence[Result], language: str) -> str:
    """Of which families more labels change than a notice allows; empty if of none."""
    shares = [1 - result.labels_equal / result.rows for result in results]
    above = [share for share in shares if share > MANY_CHANGED]
    if not above:
        return ""
    lowest, highest, bound = (f"{100 * share:.1f}" for share in (min(above), max(above), MANY_CHANGED))
    if language == "ko":
        return (
            f"\n{len(results)}개 가운데 {len(above)}개는 int8에서 라벨이 {lowest}~{highest}% 바뀌어,\n"
            f"알림이 나오는 한계 {bound}%를 넘습니다.\n"
        )
    return (
        f"\nIn {len(above)} of {len(results)}, int8 changes {lowest} to {highest} % of the labels, above the bound of "
        f"{bound} % that gives\na notice.\n"
    )
