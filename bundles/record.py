"""`conversion.json` of a converted bundle: its source, and how much int8 differs from float."""

from pathlib import Path

import msgspec

from shared.processors import has_exact_int8_products

FILE_NAME = "conversion.json"
# Above one of these, int8 is said to differ from float: labels changed of all, and the scores' mean change.
MANY_CHANGED = 0.05
_FAR_MOVED = 0.02


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """What int8 changed on the sample texts: labels that differ, and how far the scores moved."""

    texts: int
    labels_changed: int
    mean_score_change: float
    max_score_change: float

    @property
    def is_large(self) -> bool:
        """Whether int8 changed more than 5 % of the labels, or moved the scores by more than 0.02 on average."""
        return self.labels_changed > MANY_CHANGED * self.texts or self.mean_score_change > _FAR_MOVED

    def describe(self) -> str:
        """One line for a reader."""
        return (
            f"{self.labels_changed} of {self.texts} labels changed, scores moved by {self.mean_score_change:.4f} "
            f"on average and {self.max_score_change:.4f} at most"
        )


class ConversionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about the conversion that are in no other file of the bundle."""

    source: str
    source_revision: str
    source_files: dict[str, str]
    model: str
    tokenizer: str
    weights: str
    drift: Drift
    notices: list[str] = []
    # Of neighbouring pairs of int8 weights, those that a processor without VNNI may cut off.
    saturating_pairs: float = 0.0

    def notices_here(self, *, has_exact_products: bool) -> list[str]:
        """What its conversion warned of, and what holds on a processor without VNNI alone."""
        if has_exact_products or not self.saturating_pairs:
            return self.notices
        said = (
            f"this processor has no VNNI, so it may cut off {self.saturating_pairs:.1%} of the sums of this model's "
            "weights, which were int8 in the source; scores can differ from those of other machines, and a model that "
            "is converted from float weights has none such"
        )
        return [*self.notices, said]


def write_record(record: ConversionRecord, folder: Path) -> None:
    """Write the record into a bundle's folder."""
    (folder / FILE_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")


def read_record(folder: Path) -> ConversionRecord | None:
    """The record of a bundle, or None if it was not converted here."""
    path = folder / FILE_NAME
    return msgspec.json.decode(path.read_bytes(), type=ConversionRecord) if path.is_file() else None


def notices_here(folder: Path) -> list[str]:
    """What a user should know of a bundle on this machine; nothing if it was not converted here."""
    record = read_record(folder)
    return record.notices_here(has_exact_products=has_exact_int8_products()) if record else []
