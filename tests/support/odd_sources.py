"""Sources that are odd: what nobody means to make, and what editors, other tools and half a copy leave.

Each change is made to a good folder (`tests.support.families.write_family_folder`) that has a `tokenizer.json` too.
"""

import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.support.broken import (
    CONFIG,
    WEIGHTS,
    Breaker,
    _both,
    _config,
    _pickled,
    _rewrite,
    _sharded,
    _tensors,
    _write,
)

WORDS = "electra.embeddings.word_embeddings.weight"
HEAD = "classifier.out_proj"
INDEX = "model.safetensors.index.json"
BOM = b"\xef\xbb\xbf"
# Each with what its refusal says, and those that are read.
REFUSED: dict[str, tuple[Breaker, str]] = {}
READ: dict[str, Breaker] = {}


def _nested(depth: int = 100_000) -> bytes:
    return b'{"x":' * depth + b"1" + b"}" * depth


def _header(change: Callable[[dict[str, Any]], Any]) -> Breaker:
    """Another header before the same bytes."""

    def rewritten(raw: bytes) -> bytes:
        size = struct.unpack("<Q", raw[:8])[0]
        header = json.loads(raw[8 : 8 + size])
        change(header)
        written = json.dumps(header).encode()
        return struct.pack("<Q", len(written)) + written + raw[8 + size :]

    return lambda folder: _rewrite(folder / WEIGHTS, rewritten)


def _tokenizer(change: Callable[[dict[str, Any]], Any]) -> Breaker:
    def breaker(folder: Path) -> None:
        path = folder / "tokenizer.json"
        fields = json.loads(path.read_text(encoding="utf-8"))
        change(fields)
        path.write_text(json.dumps(fields), encoding="utf-8")

    return breaker


def _normaliser(**fields: str) -> Breaker:
    return _tokenizer(lambda tokenizer: tokenizer.update(normalizer=fields))


def _link_round(name: str) -> Breaker:
    def breaker(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(folder / "other")
        (folder / "other").symlink_to(folder / name)

    return breaker


def _link_to_nothing(name: str) -> Breaker:
    def breaker(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(folder / "blobs" / "gone")

    return breaker


def _zip(at: int, in_directory: int, value: int) -> Breaker:
    """A zip with a byte of its first member's header, and the same in its directory, set."""

    def breaker(folder: Path) -> None:
        (folder / WEIGHTS).unlink()
        path = folder / "model.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("m/data.pkl", b"\x80\x02}q\x00.")
        raw = bytearray(path.read_bytes())
        raw[raw.find(b"PK\x03\x04") + at] = raw[raw.find(b"PK\x01\x02") + in_directory] = value
        path.write_bytes(raw)

    return breaker


def _many_added(folder: Path, count: int = 20_000) -> None:
    (folder / "tokenizer.json").unlink()
    first = len((folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    added = {f"토큰{index}": first + index for index in range(count)}
    (folder / "added_tokens.json").write_text(json.dumps(added), encoding="utf-8")
    _tensors(lambda s: {**s, WORDS: torch.cat([s[WORDS], torch.zeros(count, s[WORDS].shape[1])])})(folder)


without_its_ends = _tokenizer(lambda tokenizer: tokenizer.update(post_processor=None))


def _names(**by_index: Any) -> Breaker:
    return _config(id2label={name.removeprefix("_"): label for name, label in by_index.items()}, label2id=None)


LABELS = {
    "labels that are nested too deeply": ("labels.json", _nested(), r"labels\.json cannot be read.*set MODEL_LABELS"),
    "a label's number of 400 digits": ("labels.json", b'{"a": ' + b"9" * 400 + b"}", "does not name the classes"),
    "half a character as a label": (
        "labels.json",
        b'["\\ud800", "b", "c"]',
        r"no name that can be written for class 0",
    ),
    "labels in UTF-16": ("labels.txt", "정상\r\n욕설\r\n".encode("utf-16"), r"labels\.txt .* not in UTF-8, save it so"),
    "labels in CP949": ("labels.txt", "정상\r\n욕설\r\n".encode("cp949"), r"labels\.txt .* not in UTF-8, save it so"),
}
REFUSED |= {name: (_write(file, content), said) for name, (file, content, said) in LABELS.items()}
REFUSED |= {
    "a label of two lines": (_names(_0="a\nb", _1="b", _2="c"), "no name that can be written for class 0"),
    "a label that is null": (_names(_0="a", _1=None, _2="c"), "names '' for several classes"),
    "a label's number of 5,000 digits": (_names(**{"9" * 5_000: "a", "_0": "b", "_1": "c"}), "does not number its lab"),
    # The config, and other JSON.
    "a config that is nested too deeply": (_write(CONFIG, _nested()), r"config\.json is not the config of a model"),
    "a tokenizer_config that is nested too deeply": (_write("tokenizer_config.json", _nested()), "nested too deeply"),
    "an index that is nested too deeply": (_both(_sharded(dict), _write(INDEX, _nested())), "nested too deeply"),
    "fewer than no heads": (_config(num_attention_heads=-2), "cannot be split among the -2 heads"),
    # The weights.
    "weights in int8 without their scales": (
        _tensors(lambda s: {**s, f"{HEAD}.weight": (s[f"{HEAD}.weight"] * 50).to(torch.int8)}),
        r"holds classifier\.out_proj\.weight as int8, not in float",
    ),
    "complex weights": (_tensors(lambda s: {**s, WORDS: s[WORDS].to(torch.complex64)}), "as complex64, not in float"),
    "weights that are true or false": (
        _tensors(lambda s: {**s, f"{HEAD}.bias": torch.ones(3, dtype=torch.bool)}),
        "as bool",
    ),
    "a header that calls floats integers": (_header(lambda h: h[WORDS].update(dtype="I32")), "as int32, not in float"),
    "a header with another shape": (_header(lambda h: h[WORDS].update(shape=[1, 1])), "not a safetensors file"),
    "a header with two tensors in one place": (
        _header(lambda h: h[WORDS].update(data_offsets=h[f"{HEAD}.bias"]["data_offsets"])),
        "not a safetensors file",
    ),
    "a header with a shape below nothing": (
        _header(lambda h: h[WORDS].update(shape=[-1, 5])),
        "not a safetensors file",
    ),
    "a header that is longer than all memory": (
        lambda f: _rewrite(f / WEIGHTS, lambda raw: struct.pack("<Q", 1 << 63) + raw[8:]),
        "not a safetensors file",
    ),
    "FP8 with scales beside it": (
        _tensors(
            lambda s: {
                **s,
                f"{HEAD}.weight": s[f"{HEAD}.weight"].to(torch.float8_e4m3fn),
                f"{HEAD}.weight_scale": torch.ones(1),
            }
        ),
        r"1 unexpected: classifier\.out_proj\.weight_scale",
    ),
    "a tensor without numbers": (
        _pickled(lambda s: {**s, f"{HEAD}.bias": s[f"{HEAD}.bias"].to("meta")}),
        "on the device meta",
    ),
    "an encrypted archive": (_zip(6, 8, 1), r"model\.pt .* not a PyTorch checkpoint"),
    "an archive of a version yet to come": (_zip(4, 6, 255), r"model\.pt .* not a PyTorch checkpoint"),
    # Parts that are elsewhere.
    "a part with an absolute path": (
        _sharded(lambda m: dict.fromkeys(m, "/etc/passwd")),
        "lists '/etc/passwd', which is not",
    ),
    "a part above the folder": (_sharded(lambda m: {key: f"../m/{name}" for key, name in m.items()}), "not beside it"),
    "a part in a path of Windows": (_sharded(lambda m: m | {"x": "..\\model.safetensors"}), "not beside it"),
    "an index that lists itself": (_sharded(lambda m: m | {"x": INDEX}), "not beside it"),
    "a part whose name is too long": (_sharded(lambda m: m | {"x": "a" * 5_000}), "not beside it"),
    "a part without a name": (_sharded(lambda m: m | {"x": ""}), "not beside it"),
    # Links.
    "weights that link to themselves": (_link_round(WEIGHTS), r"model\.safetensors cannot be read: Too many levels"),
    "a config that links to nothing": (_link_to_nothing(CONFIG), r"config\.json cannot be read: No such file"),
    # The tokenizer.
    "a tokenizer without its unknown token": (
        _tokenizer(lambda t: t["model"].update(unk_token="[NO]")),
        "cannot be used: WordPiece",
    ),
    "a tokenizer that ends the library": (
        _normaliser(type="Precompiled", precompiled_charsmap="AAAA"),
        "cannot be used: Precomp",
    ),
    "a tokenizer whose pattern never ends": (
        _tokenizer(
            lambda t: t.update(normalizer={"type": "Replace", "pattern": {"Regex": r"(\S+\s?)+$^"}, "content": ""})
        ),
        "cannot be used",
    ),
    "a token around texts that the model lacks": (
        _tokenizer(lambda t: t["post_processor"]["special_tokens"]["[CLS]"].update(ids=[9_999])),
        "puts the token 9,999",
    ),
}
READ |= {
    "labels with a byte order mark": _write("labels.txt", BOM + b"clean\r\ncurse\r\ninsult\r\n \r\n"),
    "labels with their numbers before them": _write("labels.txt", b"0 clean\n1 curse\n2 insult\n"),
    "labels with their numbers after a tab": _write("labels.txt", b"clean\t1\ncurse\t2\ninsult\t3\n"),
    "a config with a byte order mark": lambda f: _rewrite(f / CONFIG, lambda raw: BOM + raw),
    "a tokenizer_config with a byte order mark": _write("tokenizer_config.json", BOM + b'{"do_lower_case": false}'),
    "a vocab.txt of Windows": lambda f: _rewrite(f / "vocab.txt", lambda raw: raw.replace(b"\n", b"\r\n")),
    "twenty thousand added tokens": _many_added,
    "weights under torch.compile's prefix": _tensors(lambda s: {f"_orig_mod.{key}": value for key, value in s.items()}),
    "a folder that links to itself": lambda f: (f / "again").symlink_to(f),
    "a link to nothing that no model has": lambda f: (f / "notes.md").symlink_to(f / "gone"),
}
