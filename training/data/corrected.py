"""Lessons from corrections: each text in several shapes, so that its like is learnt and not its letters alone."""

from collections.abc import Sequence

from training.data.noise import Generator, disguise_text

_TAILS = ("", "", "!", "!!", "..", "~", "?", " ㅋㅋ", " ㅋㅋㅋ", " ㅎㅎ", " ㅠㅠ", " ㅡㅡ", "^^")
_JOINTS = (" ", " ", ". ", "\n")


def reshaped(text: str, generator: Generator, *, is_clean: bool, pleasant: Sequence[str] = ()) -> str:
    """The text as somebody else might have written it.

    It may end otherwise, lose its spaces, stand among harmless sentences, or be disguised; harmless text is not, since
    a disguise is a sign of the other kind.
    """
    shape = generator.random()
    if shape < 0.2:
        return text
    if shape < 0.4:
        return text.rstrip(" .!?~ㅋㅎㅠ^") + _pick(_TAILS, generator)
    if shape < 0.5:
        return text.replace(" ", "")
    if shape < 0.75 and pleasant:
        around = _pick(pleasant, generator)
        joint = _pick(_JOINTS, generator)
        return text + joint + around if generator.random() < 0.5 else around + joint + text
    return text if is_clean else disguise_text(text, generator)


def _pick(options: Sequence[str], generator: Generator) -> str:
    return options[int(generator.integers(len(options)))]
