"""The bulk runner: threads of the worker that lease chunks from the ledger and process them.

A Celery message only wakes it and returns at once, so bulk work never occupies a task thread that an interactive
message needs. It also checks the ledger every JOB_POLL_S, so a lost message delays a job by seconds only.
"""

import threading
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from shared.errors import UnavailableError
from shared.jobs import journal
from shared.jobs.ledger import Ledger
from shared.jobs.records import Lease
from shared.log import get_logger
from shared.settings import Settings
from worker.bulk.chunks import ChunkWorker, OnStored
from worker.bulk.gate import Gate
from worker.inference.classifier import Classifier
from worker.quarantine.suspects import Suspects

log = get_logger(__name__)

STORE_RETRY_S = 0.5
# A lease is renewed after 1/RENEW_FRACTION of its time.
RENEW_FRACTION = 3


class BulkRunner:
    """Processes up to `BULK_THREADS` chunks at a time; one more thread renews their leases and sweeps the ledger."""

    def __init__(
        self, ledger: Ledger, classifier: Classifier, settings: Settings, worker_id: str, on_stored: OnStored
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._worker_id = worker_id
        self._stopping = threading.Event()
        self._work = threading.Event()
        self._gate = Gate()
        self._in_hand: dict[int, Lease] = {}
        self._chunks = ChunkWorker(ledger, classifier, settings, self._stopping.is_set, on_stored)
        hands = 0 if settings.worker_takes == "predict" else settings.bulk_threads
        self._threads = [
            threading.Thread(target=self._work_forever, name=f"bulk-{number}", daemon=True) for number in range(hands)
        ]
        if hands:
            self._threads.append(threading.Thread(target=self._keep_forever, name="bulk-keeper", daemon=True))

    def start(self) -> None:
        """Start looking for work."""
        for thread in self._threads:
            thread.start()

    def look_at_suspects(self, suspects: Suspects) -> None:
        """Read chunks that another worker did not finish with care; called before `start`."""
        self._chunks.suspects = suspects

    def wake(self) -> None:
        """Check the ledger for work now."""
        self._work.set()

    def stop(self, timeout_s: float) -> None:
        """Release the leased chunks once the model has finished their current texts; waits at most `timeout_s`."""
        self._stopping.set()
        self._work.set()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work_forever(self) -> None:
        while not self._stopping.is_set():
            if not self._survive(self._work_once):
                self._work.wait(self._settings.job_poll_s)
                self._work.clear()

    def _work_once(self) -> bool:
        """Process one chunk; False if there is none."""
        with self._gate.together():
            lease = self._ledger.lease(self._worker_id)
            if lease is None:
                return False
            is_suspect = lease.attempt > 1  # its previous worker did not finish it, perhaps because it died of it
            if is_suspect:
                # Keeping the lease while waiting would blame this chunk for another chunk's crash.
                self._ledger.release(lease)
            else:
                self._do(lease)
        if is_suspect:
            with self._gate.alone():
                self._do_next_alone()
        return True

    def _do_next_alone(self) -> None:
        """Process a chunk while this worker does nothing else: the one just released, unless another worker took it."""
        lease = self._ledger.lease(self._worker_id)
        if lease is None:
            return
        if lease.attempt > 1:
            journal.note_retried(lease.job_id, lease.first_row, lease.attempt)
        self._do(lease)

    def _do(self, lease: Lease) -> None:
        self._in_hand[threading.get_ident()] = lease
        try:
            self._chunks.do(lease)
        finally:
            self._in_hand.pop(threading.get_ident(), None)

    def _keep_forever(self) -> None:
        """Renew leases and sweep. If the model hangs, the watchdog ends the process, and its leases expire."""
        swept_at = renewed_at = 0.0
        while not self._stopping.is_set():
            now = time.monotonic()
            if now - renewed_at >= self._settings.job_lease_s / RENEW_FRACTION and self._survive(self._renew):
                renewed_at = now
            if now - swept_at >= self._settings.job_poll_s and self._survive(self._sweep):
                swept_at = now
            self._stopping.wait(STORE_RETRY_S)

    def _renew(self) -> bool:
        for lease in list(self._in_hand.values()):
            self._ledger.renew(lease)
        return True

    def _sweep(self) -> bool:
        _, jobs = self._ledger.sweep()
        if jobs:
            self.wake()
        return True

    def _survive(self, step: Callable[[], bool]) -> bool:
        """Run `step` and log its errors; returns False if it failed. The lease of a failed step expires by itself."""
        try:
            return step()
        except RedisError as error:
            log.debug("ledger_unreachable", error_type=type(error).__name__)
        except UnavailableError as error:
            log.warning("chunk_left_alone", reason=error.message)
        except Exception as error:
            log.exception("bulk_step_failed", error_type=type(error).__name__)
        self._stopping.wait(STORE_RETRY_S)
        return False
