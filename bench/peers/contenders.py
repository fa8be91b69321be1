"""Who is measured: how each is installed, started, asked, and how its answer is read."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

# What the engine alone is called where it is measured beside them.
ENGINE = "engine"
HERE = Path(__file__).parent
APPS = HERE / "apps"
ROOT = HERE.parents[1]
OWN_PYTHON = Path(sys.executable)
_SERVE = ("onnxruntime==1.32.0", "tokenizers==0.23.3", "numpy==2.4.6")

Body = Mapping[str, object]
# What an answer is compared with: the engine's word, the label that scores highest (of one that knows no thresholds),
# or what it says itself of the same text alone (random weights).
Reference = Literal["engine", "best label", "itself"]


def _own_body(texts: Sequence[str]) -> Body:
    return {"text": texts[0]} if len(texts) == 1 else {"texts": list(texts)}


def _listed_body(texts: Sequence[str]) -> Body:
    return {"texts": list(texts)}


def _infinity_body(texts: Sequence[str]) -> Body:
    return {"model": "peer", "input": list(texts), "raw_scores": True}


def _own_words(answer: bytes) -> list[str]:
    parsed = json.loads(answer)
    items = parsed.get("results", [parsed]) if isinstance(parsed, dict) else parsed
    return [item["classification"] for item in items]


def _infinity_words(answer: bytes) -> list[str]:
    """The best label of each text; infinity knows no threshold of ours, so whether it counts is not asked."""
    return [max(scores, key=lambda item: item["score"])["label"] for scores in json.loads(answer)["data"]]


def _original_words(answer: bytes) -> list[str]:
    return [json.loads(answer)["classification"]]


@dataclass(frozen=True)
class Contender:
    """One service. `requirements` empty: it runs in this project's own environment, which has what it needs."""

    name: str
    says: str
    command: Callable[[int], Sequence[str]]
    requirements: tuple[str, ...] = ()
    path: str = "/predict"
    body: Callable[[Sequence[str]], Body] = _own_body
    words: Callable[[bytes], list[str]] = _own_words
    takes_many: bool = True
    most_clients: int = 256
    reference: Reference = "engine"
    environment: Mapping[str, str] = field(default_factory=dict)
    needs_store: bool = False
    has_styles: bool = True
    # What a process is called: the first whose words stand in its command line; `rest` if none does.
    parts: Mapping[str, str] = field(default_factory=dict)
    # Whether its processes can be halted while others are measured.
    may_be_halted: bool = True
    is_ours: bool = False
    # How long it needs after a halt until it answers as before.
    settle_s: float = 0.0

    @property
    def folder(self) -> Path:
        """Its virtual environment."""
        return HERE / ".envs" / self.name

    @property
    def python(self) -> Path:
        """The interpreter that it runs in."""
        return self.folder / "bin" / "python" if self.requirements else OWN_PYTHON


def _own_command(_port: int) -> Sequence[str]:
    return (str(OWN_PYTHON.parent / "kobert"), "run")


def _env(name: str) -> str:
    return str(HERE / ".envs" / name / "bin")


def _uvicorn(app: str) -> Callable[[int], Sequence[str]]:
    options = ("--port", "{port}", "--no-access-log", "--log-level", "warning")
    return lambda port: (
        *(str(OWN_PYTHON), "-m", "uvicorn", app),
        *(option.format(port=port) for option in options),
    )


def _original(shape: str, form: str) -> "Contender":
    """The handler that this project replaces. More than 8 clients would only wait for it."""
    network = {"kobert": "KoBERT's network", "embedded": "a network of our size"}[shape]
    return Contender(
        f"original-{shape}-{form}",
        f"the original's handler, {network}, {'rounded dynamically' if form == 'int8' else 'float32'}",
        _uvicorn("original_app:app"),
        words=_original_words,
        takes_many=False,
        most_clients=8,
        reference="itself",
        environment={"PEER_SHAPE": shape, "PEER_INT8": "1" if form == "int8" else ""},
        has_styles=False,
        parts={"uvicorn": "server"},
    )


OURS = Contender(
    "ours",
    "this service as `make run` starts it",
    _own_command,
    has_styles=False,
    parts={"api.main": "api", "worker.main": "worker", "valkey": "store", "kobert run": "start"},
    may_be_halted=False,  # a worker that halts is taken for dead; idle it costs next to nothing
    is_ours=True,
)
ALL_READ = replace(
    OURS,
    name="ours-all-read",
    says="the same with `CASCADE=off`: its model reads every text",
    environment={"CASCADE": "off"},
)
OWN = (OURS, ALL_READ)
CONTENDERS = (
    *OWN,
    Contender(
        "fastapi",
        "FastAPI and ONNX Runtime, a handler in the thread pool",
        _uvicorn("fastapi_app:app"),
        parts={"uvicorn": "server"},
    ),
    Contender(
        "litserve",
        "LitServe, one inference worker",
        lambda port: (f"{_env('litserve')}/python", "litserve_app.py", str(port)),
        ("litserve==0.2.19", *_SERVE),
        parts={"resource_tracker": "rest", "spawn_main": "worker", "litserve_app": "server"},
    ),
    Contender(
        "bentoml",
        "BentoML, adaptive batching",
        lambda port: (
            *(f"{_env('bentoml')}/bentoml", "serve", "bentoml_app:Predictor"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ),
        ("bentoml==1.4.40", *_SERVE),
        body=_listed_body,
        environment={"BENTOML_DO_NOT_TRACK": "True"},
        parts={"worker.service": "worker", "bentoml serve": "start"},
    ),
    Contender(
        "mosec",
        "mosec, dynamic batching",
        # Its default, 3 s, would end requests of a busy machine.
        lambda port: (
            *(f"{_env('mosec')}/python", "mosec_app.py", "--address", "127.0.0.1", "--port", str(port)),
            *("--timeout", "60000"),
        ),
        ("mosec==0.9.8", *_SERVE),
        path="/inference",
        parts={"bin/mosec ": "server", "spawn_main": "worker", "mosec_app": "start"},
    ),
    Contender(
        "ray",
        "Ray Serve, one replica",
        lambda port: (f"{_env('ray')}/python", "ray_app.py", str(port)),
        ("ray[serve]==2.60.0", *_SERVE),
        environment={
            "RAY_USAGE_STATS_ENABLED": "0",
            # A busy machine takes longer than the 5 s that its proxy is given to start.
            "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60",
            # Its workers would give way to every other process, the clients included.
            "RAY_worker_niceness": "0",
        },
        parts={"ServeReplica": "replica", "ProxyActor": "proxy"},
        settle_s=1.5,  # its router asks a replica that was silent again only after a second
    ),
    Contender(
        "celery",
        "FastAPI and Celery prefork (2), a result a text",
        _uvicorn("celery_app:app"),
        takes_many=False,
        needs_store=True,
        parts={"uvicorn": "web", "celery_app:celery": "worker", "valkey": "store"},
    ),
    Contender(
        "infinity",
        "infinity-emb, its optimum engine",
        lambda port: (
            *(f"{_env('infinity')}/python", "infinity_app.py", "v2", "--model-id", "{model}"),
            *("--served-model-name", "peer", "--engine", "optimum", "--device", "cpu", "--port", str(port)),
            *("--host", "127.0.0.1", "--batch-size", "64", "--no-bettertransformer"),
        ),
        (
            *("infinity-emb[server,torch,optimum]==0.0.78", "torch==2.13.0", "optimum[onnxruntime]<2"),
            *("transformers<4.49", "datasets<4", "pyarrow<20", "click<8.2"),
        ),
        path="/classify",
        parts={"infinity_app": "server"},
        body=_infinity_body,
        words=_infinity_words,
        reference="best label",
        environment={"INFINITY_ANONYMOUS_USAGE_STATS": "0", "HF_HUB_OFFLINE": "1"},
        has_styles=False,
    ),
    *(_original(shape, form) for shape in ("kobert", "embedded") for form in ("fp32", "int8")),
)
