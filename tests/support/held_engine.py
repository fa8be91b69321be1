"""An engine that computes once it may: a test looks at a worker whose model is in the middle of a pass."""

import threading
from collections.abc import Sequence

from tests.support.echo import EchoEngine
from worker.inference.engines.protocol import Logits


class HeldEngine(EchoEngine):
    """`hold` before a test; every pass then waits until `may_go` is set."""

    may_go = threading.Event()
    entered = threading.Event()

    @classmethod
    def hold(cls) -> None:
        """Let no pass go on from now."""
        cls.may_go.clear()
        cls.entered.clear()

    def run(self, rows: Sequence[Sequence[int]]) -> Logits:
        self.entered.set()
        assert self.may_go.wait(30)
        return super().run(rows)
