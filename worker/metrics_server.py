"""The small HTTP port on which Prometheus reads a worker's counters."""

import threading
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server

from shared.listening import open_listeners
from worker.counters import WorkerMetrics


class MetricsServer:
    """Serves one registry on a port of its own, in a thread."""

    def __init__(self, metrics: WorkerMetrics, host: str, port: int) -> None:
        """Listen.

        Raises:
            StartupError: the port is taken, or the address is not this machine's.
        """
        for probe in open_listeners(host, port, "WORKER_METRICS_PORT"):
            probe.close()
        server, thread = start_http_server(port, host, metrics.registry)
        self._server: WSGIServer = server
        self._thread: threading.Thread = thread

    def close(self) -> None:
        """Give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
