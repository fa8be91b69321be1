"""The services of a comparison: each started once, and halted while others are measured."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.peers.contenders import CONTENDERS
from bench.peers.service import Service


class Lineup:
    """Services of the chosen contenders in the chosen styles, as a context. One that does not start is left out."""

    def __init__(self, chosen: Sequence[str], styles: Sequence[str], data: Path, logs: Path) -> None:
        self._services = [
            Service(contender, style, data, logs)
            for style in styles
            for contender in CONTENDERS
            if contender.name in chosen and (contender.has_styles or style == styles[0])
        ]

    def __enter__(self) -> Self:
        try:
            for service in list(self._services):
                self._start(service)
        except BaseException:  # an interrupt, too: a halted service would outlive it
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def in_turn(self, number: int) -> list[Service]:
        """All services, beginning with another one in each round."""
        first = number % max(1, len(self._services))
        return self._services[first:] + self._services[:first]

    @contextmanager
    def turn_of(self, service: Service) -> Iterator[None]:
        """Let `service` run for as long as the context lasts. If what happens in it fails, it is started anew."""
        service.resume()
        time.sleep(service.contender.settle_s)
        try:
            yield
        except (RuntimeError, OSError, ValueError) as error:
            sys.stderr.write(f"{service.contender.name}, {service.style}: {error or type(error).__name__}\n")
            service.stop()
            self._start(service)
        else:
            service.halt()

    def _stop(self) -> None:
        for service in self._services:
            service.stop()

    def _start(self, service: Service) -> None:
        try:
            service.start()
            service.halt()
        except RuntimeError as error:
            sys.stderr.write(f"{error}\n")
            service.stop()
            self._services.remove(service)
