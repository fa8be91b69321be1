"""infinity-emb's own command, with what it takes to start with the newest torch and optimum that it allows.

Torch 2.13 moved names that optimum's exporter imports, though serving uses none; optimum 1.27 takes no absolute name of
a graph; and infinity's classifier cuts no text, so that one longer than the model would end its inference thread.
"""

import importlib
import sys
from pathlib import Path

for part in ("symbolic_opset11", "symbolic_opset14", "symbolic_helper", "utils", "errors"):
    try:
        moved = importlib.import_module(f"torch.onnx._internal.torchscript_exporter.{part}")
        expected = importlib.import_module(f"torch.onnx.{part}")
    except ImportError:
        continue
    for name in set(dir(moved)) - set(dir(expected)):
        setattr(expected, name, getattr(moved, name))

from infinity_emb.cli import cli  # noqa: E402
from infinity_emb.transformer import utils_optimum  # noqa: E402
from infinity_emb.transformer.classifier.optimum import OptimumClassifier  # noqa: E402

find_files = utils_optimum._list_all_repo_files  # noqa: SLF001


def find_relative(model_name_or_path: str, *arguments: object, **options: object) -> list[Path]:
    files = find_files(model_name_or_path, *arguments, **options)
    return [path.relative_to(model_name_or_path) if path.is_absolute() else path for path in files]


def encode_cut(self: OptimumClassifier, texts: list[str]) -> object:
    return self._pipe(texts, truncation=True)


utils_optimum._list_all_repo_files = find_relative  # noqa: SLF001
OptimumClassifier.encode_core = encode_cut

if __name__ == "__main__":
    sys.argv[0] = "infinity_emb"
    cli()
