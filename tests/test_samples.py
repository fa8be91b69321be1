"""The samples in deploy/samples, held to the settings and routes: a limit or a name that no longer fits fails here."""

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from api.jobs.events import KEEP_ALIVE_S
from api.jobs.schemas import MAX_WAIT_S
from api.main import create_app
from shared.errors import EXIT_CONFIG
from shared.listening import BACKLOG
from shared.settings import Settings

SAMPLES = Path(__file__).resolve().parents[1] / "deploy" / "samples"
NGINX = SAMPLES / "nginx" / "kobert.conf"
CADDY = SAMPLES / "caddy" / "Caddyfile"
UNITS = sorted((SAMPLES / "systemd").glob("*.service"))
SOCKET = SAMPLES / "systemd" / "kobert-api.socket"
PROXIES = [NGINX, CADDY]
DEFAULTS = Settings()
UPLOAD = "/jobs"
# Variables of libraries, which are no settings of ours.
FOREIGN = {"HF_HOME"}
# Where nginx keeps bodies; Debian's is built with folders that only root can write.
NGINX_FOLDERS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
UNIT_BYTES = {"m": 1 << 20, "MB": 10**6}


def without_comments(path: Path) -> str:
    return re.sub(r"^\s*#.*$", "", path.read_text(), flags=re.MULTILINE)


def routes() -> set[str]:
    paths = create_app(Settings(redis_url="redis://localhost")).openapi()["paths"]
    return {*paths, "/metrics"}  # which the OpenAPI page leaves out


def variables(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", path.read_text(), re.MULTILINE))


def block(path: Path, opening: str) -> str:
    """What stands between the braces after `opening`."""
    rest = path.read_text().partition(f"{opening} {{")[2]
    assert rest, opening
    depth, end = 1, 0
    while depth:
        depth += {"{": 1, "}": -1}.get(rest[end], 0)
        end += 1
    return rest[: end - 1]


def size(text: str) -> int:
    found = re.search(r"(?:client_max_body_size|max_size) (\d+)(m|MB)\b", text)
    assert found, text
    return int(found[1]) * UNIT_BYTES[found[2]]


def seconds(path: Path, name: str) -> float:
    found = re.findall(rf"\b{name}\s+(\d+)s\b", without_comments(path))
    assert found, name
    return min(map(float, found))


def body_limits(path: Path) -> tuple[int, int]:
    """Bytes that the proxy takes for an upload and for any other request."""
    if path == NGINX:
        return size(block(path, "location /jobs")), size(without_comments(path))
    return size(block(path, "handle /jobs*")), size(block(path, "\thandle"))


@pytest.mark.parametrize("path", PROXIES, ids=lambda path: path.name)
def test_a_proxy_leaves_it_to_the_service_to_refuse_what_is_too_large(path: Path) -> None:
    upload, other = body_limits(path)

    assert DEFAULTS.max_job_bytes < upload <= 1.1 * DEFAULTS.max_job_bytes
    assert DEFAULTS.max_body_bytes < other <= 1.5 * DEFAULTS.max_body_bytes


@pytest.mark.parametrize(("path", "name"), [(NGINX, "proxy_read_timeout"), (CADDY, "response_header_timeout")])
def test_a_proxy_waits_longer_than_the_service_may_take(path: Path, name: str) -> None:
    assert seconds(path, name) > max(DEFAULTS.predict_timeout_s, MAX_WAIT_S, KEEP_ALIVE_S)


@pytest.mark.parametrize("path", PROXIES, ids=lambda path: path.name)
def test_a_proxy_hardens_what_a_browser_gets(path: Path) -> None:
    text = without_comments(path)

    assert re.search(r"X-Content-Type-Options nosniff", text)
    assert re.search(r"Strict-Transport-Security", text)
    policies = re.findall(r'"(default-src [^"]+)"', text)
    assert len(policies) == 2
    assert all("frame-ancestors 'none'" in policy for policy in policies)
    assert not [policy for policy in policies if "'unsafe-eval'" in policy or "*" in policy]


@pytest.mark.parametrize(("path", "name"), [(NGINX, "client_header_timeout"), (CADDY, "read_header")])
def test_a_proxy_gives_headers_no_more_time_than_the_service(path: Path, name: str) -> None:
    assert seconds(path, name) <= DEFAULTS.header_timeout_s


def test_nginx_lets_the_service_say_that_an_upload_has_stalled() -> None:
    assert seconds(NGINX, "client_body_timeout") > DEFAULTS.upload_stall_s


def test_nginx_buffers_neither_uploads_nor_events() -> None:
    assert "proxy_request_buffering off;" in block(NGINX, "location /jobs")
    assert "proxy_buffering off;" in block(NGINX, r"location ~ ^/jobs/[^/]+/events$")


def test_every_path_of_the_samples_is_a_route() -> None:
    named = re.findall(r"location = (/[\w/]+) \{|location (/\w+) \{", NGINX.read_text())
    paths = {first or second for first, second in named} | set(re.findall(r"handle (/\w+)", CADDY.read_text()))
    events = re.search(r"location ~ (\S+) \{", NGINX.read_text())

    assert paths == {UPLOAD, "/metrics"}
    assert paths <= routes()
    assert events is not None
    assert [route for route in routes() if re.search(events[1], route)] == ["/jobs/{job_id}/events"]


@pytest.mark.parametrize("path", [*PROXIES, SAMPLES / "systemd" / "kobert.env"], ids=lambda path: path.name)
def test_a_sample_and_the_settings_agree_on_the_port(path: Path) -> None:
    assert str(DEFAULTS.port) in path.read_text()


@pytest.mark.parametrize("path", PROXIES, ids=lambda path: path.name)
def test_a_proxys_own_errors_have_the_shape_of_the_services(path: Path) -> None:
    bodies = [json.loads(body) for body in re.findall(r"""['`](\{"error".*\})['`]""", path.read_text())]

    assert bodies
    for body in bodies:
        assert list(body) == ["error"]
        assert list(body["error"]) == ["code", "message", "type", "param", "request_id"]


@pytest.mark.parametrize("path", PROXIES, ids=lambda path: path.name)
def test_a_setting_that_a_comment_of_a_sample_names_exists(path: Path) -> None:
    named = set(re.findall(r"\b(?:MAX|PREDICT|UPLOAD)_[A-Z_]+\b", path.read_text()))
    assert named
    assert named <= {name.upper() for name in Settings.model_fields}


def test_every_variable_of_the_environment_file_is_a_setting() -> None:
    known = {name.upper() for name in Settings.model_fields} | FOREIGN
    assert set(variables(SAMPLES / "systemd" / "kobert.env")) <= known
    for unit in UNITS:
        assert set(re.findall(r"^Environment=([A-Z_]+)=", unit.read_text(), re.MULTILINE)) <= known


def test_the_service_writes_where_the_unit_lets_it() -> None:
    folder = Path(variables(SAMPLES / "systemd" / "kobert.env")["DATA_DIR"])
    for unit in UNITS:
        assert f"StateDirectory={folder.name}\n" in unit.read_text()
        assert f"WorkingDirectory={folder}\n" in unit.read_text()


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_waits_longer_than_the_service_takes_to_stop(unit: Path) -> None:
    wait = re.search(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.MULTILINE)
    assert wait is not None
    assert int(wait[1]) > DEFAULTS.shutdown_timeout_s


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_starts_again_before_a_heartbeat_runs_out_and_does_not_give_up_soon(unit: Path) -> None:
    text = unit.read_text()
    pause, limit = (
        re.search(rf"^{name}=(\d+)$", text, re.MULTILINE) for name in ("RestartSec", "StartLimitIntervalSec")
    )
    assert pause is not None
    assert limit is not None
    assert int(pause[1]) < DEFAULTS.heartbeat_ttl_s
    assert f"RestartPreventExitStatus={EXIT_CONFIG}\n" in text
    if limit[1] != "0":
        burst = re.search(r"^StartLimitBurst=(\d+)$", text, re.MULTILINE)
        assert burst is not None
        assert int(burst[1]) * (int(pause[1]) + 1) >= 60


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_starts_something_that_exists(unit: Path) -> None:
    command = re.search(r"^ExecStart=/opt/kobert/\.venv/bin/(.+)$", unit.read_text(), re.MULTILINE)
    assert command is not None
    module = command[1].partition("-m ")[2]
    assert command[1] == "kobert run" or importlib.util.find_spec(module) is not None


def test_the_socket_that_systemd_holds_is_the_one_of_the_settings() -> None:
    held = re.search(r"^ListenStream=(.+):(\d+)$", SOCKET.read_text(), re.MULTILINE)
    assert held is not None
    assert (held[1], int(held[2])) == (DEFAULTS.host, DEFAULTS.port)
    assert f"Backlog={BACKLOG}\n" in SOCKET.read_text()
    assert SOCKET.with_suffix(".service") in UNITS


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_knows_every_line_of_the_units(tmp_path: Path) -> None:
    for unit in (*UNITS, SOCKET):
        text = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", unit.read_text(), flags=re.MULTILINE)
        (tmp_path / unit.name).write_text(text)
    command = ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))]

    said = subprocess.run(command, capture_output=True, text=True, check=False)

    assert [line for line in said.stderr.splitlines() if "kobert" in line] == []


@pytest.mark.skipif(shutil.which("caddy") is None, reason="Caddy is not installed")
def test_caddy_accepts_its_sample() -> None:
    command = ["caddy", "validate", "--adapter", "caddyfile", "--config", str(CADDY)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_nginx_accepts_its_sample(tmp_path: Path) -> None:
    without_tls = re.sub(r"^ *ssl_certificate.*$", "", NGINX.read_text().replace("443 ssl", "8443"), flags=re.MULTILINE)
    (tmp_path / "site.conf").write_text(without_tls)
    folders = "".join(f"{name}_temp_path {tmp_path}/{name}; " for name in NGINX_FOLDERS)
    main = f"pid {tmp_path}/pid; events {{}} http {{ access_log off; {folders} include {tmp_path}/site.conf; }}"
    (tmp_path / "nginx.conf").write_text(main)
    command = ["nginx", "-t", "-e", f"{tmp_path}/errors", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
