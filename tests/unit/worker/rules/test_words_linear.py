"""Looking for the terms of a policy takes time in proportion to the text, as normalising does (F1)."""

import pytest

from bundles.format import BundleConfig
from shared.options import PolicyRef, VerdictOptions
from shared.policies.nesting import MAX_NESTED
from shared.policies.records import AllowedTerm, DeniedTerm, Policy
from shared.verdict import Verdict
from tests.unit.bundles.test_normalise_linear import growth_of_time
from worker.rules import words
from worker.rules.stage import PolicyStage
from worker.rules.words import Found, Words
from worker.spans.masking import mask

MOST = 8
WORDS = Words(
    Policy(
        deny=(DeniedTerm("시발", "hate", match="part"), DeniedTerm("병신", "hate"), DeniedTerm("^^", "hate")),
        allow=(AllowedTerm("바보점"), AllowedTerm("시발점"), AllowedTerm("병신년")),
    )
)
UNITS = (
    "시발 바보점 ", "바보점", "시발점 ", "시발", "ㅅㅣㅂㅏㄹ", "시1발", "시.발 ", "시\u200b발", "\u200b", "^^바보점 ",
    "병신년에 ", "tlqkf", "아", " ", "ㅋ", "시 발 ", "\u1109\u1175\u1107\u1161\u11af", "1", "x시x",
)  # fmt: skip


class OnePolicy:
    """Rules that are always these, and whose hits nobody counts."""

    class hits:  # noqa: N801  as `PolicyRules` has it
        @staticmethod
        def note(_name: str, _matches: object) -> None:
            pass

    def words(self, _ref: PolicyRef) -> Words:
        return WORDS


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("ending", ["", "시발"])
def test_a_policy_is_read_in_linear_time(unit: str, ending: str) -> None:
    config = BundleConfig(
        format_version=1, name="m", problem_type="single_label_classification", labels=["clean", "hate"],
        max_length=64, pad_token_id=0, clean_label="clean",
    )  # fmt: skip
    stage = PolicyStage(OnePolicy(), config)  # type: ignore[arg-type]
    options = VerdictOptions(policy=PolicyRef("board", 1, "00"))
    said = Verdict("clean", 1.0, {"clean": 1.0, "hate": 0.0}, ["clean"])

    def judge(text: str) -> None:
        stage.amend(stage.prepare(text, options), said)

    assert growth_of_time(judge, unit, ending) < MOST


@pytest.mark.parametrize("unit", UNITS)
def test_masking_takes_linear_time(unit: str) -> None:
    assert (
        growth_of_time(lambda text: mask(text, [(place, place + 1) for place in range(0, len(text), 2)]), unit) < MOST
    )


def test_an_allowed_term_covers_what_lies_inside_it_wherever_that_is() -> None:
    found: Found = WORDS.find("시발 시발점 바보점 시발")
    assert [(match.list, match.start) for match in found.matches] == [
        ("deny", 0), ("deny", 11), ("allow", 3), ("allow", 7),
    ]  # fmt: skip


NESTED = {
    "repeated": tuple("가" * count for count in range(1, 101)),
    "spaced": tuple("가 " * count for count in range(1, 51)),
    "signs": tuple("^" * count for count in range(1, 101)),
    "latin": tuple("a" * count for count in range(1, 101)),
}


@pytest.mark.parametrize("terms", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("kind", [DeniedTerm, AllowedTerm])
def test_of_terms_that_end_in_one_another_few_are_looked_for(
    terms: tuple[str, ...], kind: type[DeniedTerm | AllowedTerm], monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = tuple(map(kind, terms))
    nested = Words(Policy(deny=entries) if kind is DeniedTerm else Policy(allow=entries))  # type: ignore[arg-type]
    looked_at = 0

    def look(*arguments: object) -> bool:
        nonlocal looked_at
        looked_at += 1
        return stands(*arguments)  # type: ignore[arg-type]

    stands = words._stands
    monkeypatch.setattr(words, "_stands", look)

    nested.find(terms[0].strip() * 2_000)

    assert nested.left_out >= len(terms) - MAX_NESTED
    assert looked_at <= 2_000 * MAX_NESTED


def test_of_many_labels_for_one_term_few_are_looked_for() -> None:
    many = Words(Policy(deny=tuple(DeniedTerm("가", f"label-{number}") for number in range(5_000))))
    assert (many.left_out, len(many.find("가 나").matches)) == (5_000 - MAX_NESTED, MAX_NESTED)


def test_entries_that_end_in_no_other_are_all_looked_for() -> None:
    entries = tuple(DeniedTerm(f"단어{number}번") for number in range(5_000))
    assert Words(Policy(deny=entries)).left_out == 0
