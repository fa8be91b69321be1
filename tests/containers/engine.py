"""A container engine by its command: Docker, or a script that offers the same words on a machine without it.

`CONTAINER_ENGINE` names the command. `docker` is used as it is. Any other is a script with the sub-commands
`build ARGS` (an image), `base NAME:TAG` (tags a stand-in for a public base image), `compose ARGS`, and `podman ARGS`
for the rest.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILD_S = 1800
COMMAND_S = 180
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"


def report(line: str) -> None:
    """A figure for the reader of a passed test (`pytest -rP`)."""
    sys.stdout.write(line + "\n")


class Engine:
    """Runs commands from the project's root; a failed one ends the test with what it printed."""

    def __init__(self, command: str) -> None:
        self.command = command
        self.is_docker = Path(command).name == "docker"

    def build(self, tag: str, dockerfile: str, context: str = ".", target: str | None = None) -> None:
        arguments = ["-f", dockerfile, "-t", tag, *(["--target", target] if target else []), context]
        if self.is_docker:
            self._run([self.command, "build", *arguments], timeout_s=BUILD_S)
            return
        self._run([self.command, "base", "debian:bookworm-slim"])
        # A stand-in machine takes torch from where its pip is configured to; health checks need Docker's image format.
        self._run(
            [self.command, "build", "--format", "docker", "--build-arg", "TORCH_INDEX_URL=", *arguments],
            timeout_s=BUILD_S,
        )

    def compose(self, arguments: Sequence[str], environment: dict[str, str]) -> str:
        return self._run([self.command, "compose", *arguments], environment=environment)

    def run(self, *arguments: str, check: bool = True) -> str:
        prefix = [self.command] if self.is_docker else [self.command, "podman"]
        return self._run([*prefix, *arguments], check=check)

    def succeeds(self, *arguments: str) -> bool:
        prefix = [self.command] if self.is_docker else [self.command, "podman"]
        done = subprocess.run([*prefix, *arguments], cwd=ROOT, capture_output=True, timeout=COMMAND_S, check=False)
        return done.returncode == 0

    def inspect(self, name: str, kind: str = "container") -> dict[str, Any]:
        return json.loads(self.run("inspect", "--type", kind, name))[0]

    def image_bytes(self, name: str) -> int:
        return int(self.inspect(name, "image")["Size"])

    def _run(
        self,
        command: list[str],
        *,
        check: bool = True,
        timeout_s: float = COMMAND_S,
        environment: dict[str, str] | None = None,
    ) -> str:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout


class Project:
    """One compose project: our docker-compose.yml under a name and a port of its own, with overriding files."""

    def __init__(self, engine: Engine, name: str, port: int, *overrides: str, **variables: str) -> None:
        self.engine = engine
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        files = ["docker-compose.yml", *overrides]
        self._prefix = ["-p", name, *(word for file in files for word in ("-f", file))]
        self._environment = {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "REDIS_PASSWORD": "secret0of0the0test",
            **variables,
        }

    def compose(self, *arguments: str) -> str:
        return self.engine.compose([*self._prefix, *arguments], self._environment)

    def up(self, *arguments: str) -> None:
        self.compose("up", "-d", "--no-build", *arguments)

    def down(self) -> None:
        """Remove everything of this project, also what a compose that forgets its scale would leave behind."""
        everything = self.engine.run("ps", "-a", "-q", "--filter", f"label={PROJECT_LABEL}={self.name}").split()
        if everything:
            # Podman, unlike Docker, must be told that what depends on a container may go with it.
            also = [] if self.engine.is_docker else ["--depend", "-t", "2"]
            self.engine.run("rm", "-f", "-v", *also, *everything, check=False)
        self.compose("down", "-v")

    def containers(self, service: str, *, ended: bool = False) -> list[str]:
        """Ids of the running containers of a service, oldest first; with `ended`, also of those that have ended."""
        filters = [f"label={PROJECT_LABEL}={self.name}", f"label={SERVICE_LABEL}={service}"]
        words = [word for text in filters for word in ("--filter", text)]
        return self.engine.run("ps", "-q", "--no-trunc", *(["-a"] if ended else []), *words).split()[::-1]

    def logs(self, container: str) -> str:
        prefix = [self.engine.command] if self.engine.is_docker else [self.engine.command, "podman"]
        done = subprocess.run([*prefix, "logs", container], cwd=ROOT, capture_output=True, text=True, check=True)
        return done.stdout + done.stderr
