"""The HTTP server from which Prometheus reads a worker's metrics."""

import threading
from wsgiref.simple_server import WSGIServer

from prometheus_client import start_http_server

from shared.listening import open_listeners
from worker.counters import WorkerMetrics


class MetricsServer:
    """Serves one registry on its own port, in a thread."""

    def __init__(self, metrics: WorkerMetrics, host: str, port: int) -> None:
        """Listen.

        Raises:
            StartupError: the port is taken, or this machine does not have the address.
        """
        for probe in open_listeners(host, port, "WORKER_METRICS_PORT"):
            probe.close()
        server, thread = start_http_server(port, host, metrics.registry)
        self._server: WSGIServer = server
        self._thread: threading.Thread = thread

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
