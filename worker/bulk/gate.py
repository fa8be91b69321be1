"""Lets a thread run alone: a chunk that may have killed a worker must not take other chunks down with it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """A read-write lock: many threads together, or one alone. A thread waiting to be alone goes before later ones."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._is_alone = False
        self._wanting_alone = 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Hold the lock together with others."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone and not self._wanting_alone)
            self._inside += 1
        try:
            yield
        finally:
            self._leave()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock alone."""
        with self._changed:
            self._wanting_alone += 1
            self._changed.wait_for(lambda: not self._inside)
            self._wanting_alone -= 1
            self._inside, self._is_alone = 1, True
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._changed:
            self._inside -= 1
            self._is_alone = False
            self._changed.notify_all()
