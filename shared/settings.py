"""Settings of every process, read once from the environment by each process's composition root.

One field per setting; its upper-case name is the environment variable. `docs/settings.md` documents them, and a test
keeps the two in step.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared import redis_url, settings_faults
from shared.addresses import parse_networks, parse_origin, parse_prefix
from shared.errors import SettingsError
from shared.options import STANDARD, Level, split_thresholds
from shared.processors import available_cpus

KIB = 1024
# Where web servers listen; a webhook to another port might reach something that is none.
WEBHOOK_PORTS = frozenset((80, 443, 8080, 8443))
ANY_PORT = "any"


def _blank_is_unset(value: Any) -> Any:  # noqa: ANN401  whatever the environment holds
    return None if isinstance(value, str) and not value.strip() else value


def _parse_thresholds(value: Any) -> Any:  # noqa: ANN401  whatever the environment holds
    if not isinstance(value, str):
        return value
    return split_thresholds(value)


def _split_names(value: Any) -> Any:  # noqa: ANN401  whatever the environment holds
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


Names = Annotated[list[str], NoDecode, BeforeValidator(_split_names)]
OptionalText = Annotated[str | None, BeforeValidator(_blank_is_unset)]
TextList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_names)]
Thresholds = Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]], NoDecode, BeforeValidator(_parse_thresholds)]

# What only operators need.
AdminPart = Literal["metrics", "docs", "info"]


class Settings(BaseSettings):
    """All settings. Times end in `_s` (seconds), sizes in `_bytes`, `_chars` or `_tokens`."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore", frozen=True, env_ignore_empty=True)

    # Address and storage
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    root_path: str = ""
    trusted_proxies: TextList = ("127.0.0.1", "::1")
    keep_alive_s: Annotated[int, Field(ge=1, le=3600)] = 75
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 4_096
    header_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 15.0
    send_stall_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    cors_origins: TextList = ()
    allowed_hosts: TextList = ()
    redis_url: OptionalText = None
    data_dir: Path = Path(".kobert")
    store_checks: Literal["refuse", "warn", "off"] = "refuse"
    store_max_memory_bytes: Annotated[int, Field(ge=16 * KIB * KIB)] = 128 * KIB * KIB
    workers: Annotated[int, Field(ge=0, le=256)] = 1

    # Clients; without keys anybody may send requests
    api_keys: TextList | None = None
    keys_file: Path | None = None
    require_keys: bool = False
    closed_routes: Annotated[tuple[AdminPart, ...], NoDecode, BeforeValidator(_split_names)] = ()
    admin_port: Annotated[int | None, Field(ge=1, le=65535)] = None
    admin_host: OptionalText = None
    max_wrong_keys_per_minute: Annotated[int, Field(ge=1, le=6_000)] = 20

    # The model
    model: OptionalText = None
    model_labels: Names = Field(default_factory=list)
    clean_label: OptionalText = None
    max_length: Annotated[int | None, Field(ge=3)] = None
    vocab_specials: Literal["kobert", "file"] = "kobert"
    legacy_tokenizer: Literal["kobert", "gluonnlp"] = "kobert"
    model_problem_type: Literal["single_label_classification", "multi_label_classification"] | None = None
    cache_dir: Path | None = None
    hub_timeout_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    strictness: Level = STANDARD
    thresholds: Thresholds = Field(default_factory=dict)
    model_threads: Annotated[int, Field(ge=0, le=256)] = 0
    pass_threads: Annotated[int, Field(ge=1, le=256)] = 1

    # Limits of a request
    max_text_chars: Annotated[int, Field(ge=1)] = 10_000
    max_texts_per_request: Annotated[int, Field(ge=1)] = 1_000
    max_body_bytes: Annotated[int, Field(ge=KIB)] = 8 * KIB * KIB
    max_inflight_body_bytes: Annotated[int, Field(ge=KIB)] = 24 * KIB * KIB
    min_body_bytes_per_s: Annotated[int, Field(ge=1)] = 4 * KIB
    body_timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    max_header_bytes: Annotated[int, Field(ge=KIB, le=KIB * KIB)] = 32 * KIB
    max_headers: Annotated[int, Field(ge=10, le=10_000)] = 100
    max_inflight_texts: Annotated[int, Field(ge=1)] = 2_000
    predict_timeout_s: Annotated[float, Field(gt=0, le=600)] = 30.0

    # Policies: the rules of boards
    policies_file: Path | None = None
    max_policies: Annotated[int, Field(ge=1, le=10_000)] = 100
    max_policy_entries: Annotated[int, Field(ge=1, le=100_000)] = 20_000
    max_policy_bytes: Annotated[int, Field(ge=KIB)] = 2 * KIB * KIB
    max_policy_bytes_per_key: Annotated[int, Field(ge=KIB)] = 64 * KIB * KIB
    max_policy_versions: Annotated[int, Field(ge=1, le=1_000)] = 20

    # The queue and the worker
    worker_takes: Literal["all", "predict", "jobs"] = "all"
    max_message_texts: Annotated[int, Field(ge=1)] = 96
    task_threads: Annotated[int, Field(ge=1, le=256)] = 8
    max_batch_tokens: Annotated[int, Field(ge=16)] = 256
    max_windows: Annotated[int, Field(ge=1)] = 128
    result_cache_mb: Annotated[int, Field(ge=0, le=65_536)] = 0
    cascade: Literal["off", "on"] = "on"
    visibility_timeout_s: Annotated[int, Field(ge=2)] = 10
    heartbeat_interval_s: Annotated[float, Field(gt=0)] = 1.0
    heartbeat_ttl_s: Annotated[float, Field(gt=0)] = 4.0
    stall_timeout_s: Annotated[float, Field(gt=0)] = 30.0
    shutdown_timeout_s: Annotated[float, Field(gt=0)] = 8.0

    # Bulk jobs: limits and lifetimes
    max_job_bytes: Annotated[int, Field(ge=KIB)] = KIB * KIB * KIB
    max_job_rows: Annotated[int, Field(ge=1)] = 2_000_000
    max_open_jobs: Annotated[int, Field(ge=1)] = 100
    max_file_bytes_per_key: Annotated[int, Field(ge=KIB)] = 64 * KIB * KIB
    max_store_fill: Annotated[float, Field(gt=0, le=1)] = 0.85
    max_uploads: Annotated[int, Field(ge=1, le=64)] = 4
    max_downloads: Annotated[int, Field(ge=1)] = 32
    max_event_streams: Annotated[int, Field(ge=1)] = 200
    upload_stall_s: Annotated[float, Field(gt=0)] = 60.0
    result_ttl_s: Annotated[int, Field(ge=1)] = 24 * 3600
    max_job_age_s: Annotated[int, Field(ge=1)] = 7 * 24 * 3600

    # Bulk jobs: processing
    job_chunk_rows: Annotated[int, Field(ge=1, le=10_000)] = 256
    job_chunk_chars: Annotated[int, Field(ge=1)] = 128 * KIB
    job_lease_s: Annotated[float, Field(gt=0)] = 30.0
    job_attempts: Annotated[int, Field(ge=1)] = 3
    job_poll_s: Annotated[float, Field(gt=0)] = 2.0
    bulk_threads: Annotated[int, Field(ge=0, le=16)] = 2
    max_bulk_batch_tokens: Annotated[int, Field(ge=16)] = 128

    # Corrections
    max_corrections: Annotated[int, Field(ge=0)] = 20_000
    max_corrections_bytes: Annotated[int, Field(ge=0)] = 16 * KIB * KIB

    # Review queues
    max_reviews: Annotated[int, Field(ge=1)] = 50
    max_review_items: Annotated[int, Field(ge=1)] = 5_000
    max_review_chars: Annotated[int, Field(ge=1)] = 2_000_000
    review_lease_s: Annotated[int, Field(ge=10)] = 600
    review_feed_texts: Annotated[int, Field(ge=0, le=100_000)] = 0
    review_feed_ttl_s: Annotated[int, Field(ge=1)] = 86_400

    # Webhooks
    webhook_secret: OptionalText = None
    webhook_allow_private: bool = False
    webhook_schemes: TextList = ("https", "http")
    webhook_ports: TextList | None = None
    webhook_attempts: Annotated[int, Field(ge=1, le=20)] = 6
    webhook_timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    webhook_concurrency: Annotated[int, Field(ge=1, le=256)] = 16
    webhook_host_concurrency: Annotated[int, Field(ge=1, le=256)] = 2

    # Metrics of a worker; the API serves its own on PORT
    worker_metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0

    # Logs
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "console"] = "auto"

    @field_validator(
        "log_level",
        "log_format",
        "strictness",
        "vocab_specials",
        "legacy_tokenizer",
        "model_problem_type",
        "worker_takes",
        "store_checks",
        mode="before",
    )
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("api_keys")
    @classmethod
    def _are_keys(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """A value without a key would open the service; an HTTP header carries visible ASCII alone."""
        if value is not None and not value:
            raise ValueError("it names no key; write keys separated by commas, or unset it to let everybody in")
        for number, key in enumerate(value or (), start=1):
            if not (key.isascii() and key.isprintable() and " " not in key):
                raise ValueError(
                    f"key {number} has a character that an HTTP header cannot carry; use ASCII letters, digits and "
                    "-_.~ (openssl rand -hex 24 makes one)"
                )
        return value

    @field_validator("root_path")
    @classmethod
    def _is_prefix(cls, value: str) -> str:
        return parse_prefix(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            parse_networks(value)
        except ValueError as error:
            raise ValueError(f"{error}; write addresses or networks such as 10.0.0.0/8, or none") from None
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(parse_origin, value))

    @field_validator("redis_url")
    @classmethod
    def _is_redis_address(cls, value: str | None) -> str | None:
        try:
            return value if value is None else redis_url.check(value)
        except SettingsError as error:
            raise ValueError(error.message) from None

    @field_validator("webhook_schemes")
    @classmethod
    def _are_web_schemes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        schemes = tuple(scheme.lower() for scheme in value)
        if not schemes or set(schemes) - {"https", "http"}:
            raise ValueError("write https, or https,http")
        return schemes

    @field_validator("webhook_ports")
    @classmethod
    def _are_ports(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None and value != (ANY_PORT,):
            for port in value:
                if not (port.isascii() and port.isdecimal() and 1 <= int(port[:6]) <= 65535):
                    raise ValueError(f"{port[:20]} is no port; write 443,8443, or {ANY_PORT}")
        return value

    def allowed_webhook_ports(self) -> frozenset[int] | None:
        """Ports that webhooks may go to; None: any."""
        if self.webhook_ports is None:
            return None if self.webhook_allow_private else WEBHOOK_PORTS
        return None if self.webhook_ports == (ANY_PORT,) else frozenset(map(int, self.webhook_ports))

    @property
    def model_cache_dir(self) -> Path:
        """Where converted models are kept: `CACHE_DIR`, or a folder of DATA_DIR."""
        return self.cache_dir or self.data_dir / "models"

    @property
    def listen_addresses(self) -> list[tuple[str, int, str]]:
        """Where the API listens: host, port, and the setting of the port."""
        addresses = [(self.host, self.port, "PORT")]
        if self.admin_port is not None and self.admin_port != self.port:
            addresses.append((self.admin_host or self.host, self.admin_port, "ADMIN_PORT"))
        return addresses

    def inference_threads(self) -> int:
        """Passes that one worker's model runs at a time: `MODEL_THREADS`, or an even share of the processors."""
        return self.model_threads or max(1, available_cpus() // max(1, self.workers))


def load_settings(**overrides: object) -> Settings:
    """Read the environment.

    Raises:
        SettingsError: a value cannot work; has one sentence per setting, with the name of its variable.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # checked by pydantic, which is the point
    except ValidationError as error:
        raise SettingsError("; ".join(settings_faults.explain(fault) for fault in error.errors())) from error
