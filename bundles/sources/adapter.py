"""Puts the files of a LoRA adapter and those of its base together: the base's weights, the adapter's own tokenizer."""

from collections.abc import Callable
from pathlib import Path

from bundles.adapter import OWN_CONFIG_ROLE, AdapterConfig, read_adapter_config, without_base
from bundles.architecture import check_base
from bundles.files import SHARD_ROLE, TOKENIZER_ROLES, SourceFiles, choose_files, have_tokenizer, names_in
from bundles.model_config import read_model_config
from bundles.sources.conversion import paths_by_role
from bundles.sources.local_path import find_local

FetchBase = Callable[[AdapterConfig], tuple[Path, SourceFiles]]


def add_base(paths: dict[str, Path], where: str, fetch: FetchBase) -> dict[str, Path]:
    """The files by role of the adapter `paths`, which the user calls `where`, with its base's.

    The base is a folder of this machine, or what `fetch` gets.

    Raises:
        ModelSourceError: it is no LoRA of a text classifier, or its base cannot be had or read; says what to do.
    """
    config = read_adapter_config(paths["adapter_config"], where)
    folder = _local_base(config, paths["adapter_config"].parent)
    name = str(config.base_model_name_or_path)
    folder, files = fetch(config) if folder is None else (folder, choose_files(names_in(folder), str(folder)))
    base = paths_by_role(folder, files.by_role())
    if "weights" not in base or "config" not in base:
        raise without_base(where, config, "it has no weights of PyTorch with a config.json")
    check_base(read_model_config(base["config"]), name)
    tokenizer = paths if have_tokenizer(paths) else base
    joined = {role: path for role, path in paths.items() if role not in {"config", *TOKENIZER_ROLES}}
    joined |= {role: path for role, path in base.items() if role.startswith(("weights", "config", SHARD_ROLE))}
    joined |= {role: path for role, path in tokenizer.items() if role in TOKENIZER_ROLES}
    return joined | ({OWN_CONFIG_ROLE: paths["config"]} if "config" in paths else {})


def _local_base(config: AdapterConfig, beside: Path) -> Path | None:
    """The folder of the base, as it is written or from where the adapter lies."""
    written = str(config.base_model_name_or_path)
    found = (find_local(path) for path in (written, str(beside / written)))
    return next((folder for folder in found if folder is not None and folder.is_dir()), None)
