"""`conversion.json` of a converted bundle: its source, and how much int8 differs from float."""

from pathlib import Path

import msgspec

FILE_NAME = "conversion.json"


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """What int8 changed on the sample texts: labels that differ, and how far the scores moved."""

    texts: int
    labels_changed: int
    mean_score_change: float
    max_score_change: float

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


def write_record(record: ConversionRecord, folder: Path) -> None:
    """Write the record into a bundle's folder."""
    (folder / FILE_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")


def read_record(folder: Path) -> ConversionRecord | None:
    """The record of a bundle, or None if it was not converted here."""
    path = folder / FILE_NAME
    return msgspec.json.decode(path.read_bytes(), type=ConversionRecord) if path.is_file() else None
