"""A corrected text before the model: what is answered with what a caller may ask for."""

from shared.corrections.records import Correction, NewCorrection, correction_id
from shared.options import VerdictOptions
from shared.span_options import MaskStyle
from shared.verdict import Verdict
from tests.unit.worker.corrections.test_answer import CONFIG
from worker.corrections.answer import CorrectedVerdicts
from worker.corrections.book import CorrectionBook
from worker.corrections.stage import CorrectionStage
from worker.inference.stage import NoStage
from worker.spans.showing import show_spans


def answer(text: str, said: str, options: VerdictOptions) -> Verdict:
    book = CorrectionBook()
    record = NewCorrection(text=text, classification=said)
    book.update([Correction(id=correction_id(1), version=1, record=record)], [])
    verdict = CorrectionStage(book, CorrectedVerdicts(CONFIG), NoStage()).prepare(text, options).verdict
    assert verdict is not None
    return show_spans(text, verdict, options)


def test_a_mask_hides_the_whole_of_a_text_that_a_person_called_bad() -> None:
    asked = VerdictOptions(explain=True, mask=MaskStyle())
    bad, good = answer("뿡뿡이 꺼져", "curse", asked), answer("게이머 모여", "clean", asked)

    assert isinstance(bad.spans, list)
    assert [(span.label, span.start, span.end, span.text) for span in bad.spans] == [("curse", 0, 6, "뿡뿡이 꺼져")]
    assert bad.masked == "*** **"
    assert (good.spans, good.masked) == ([], "게이머 모여")


def test_who_asks_for_no_spans_gets_none() -> None:
    plain = answer("뿡뿡이 꺼져", "curse", VerdictOptions())
    assert not isinstance(plain.spans, list)
    assert not isinstance(plain.masked, str)
