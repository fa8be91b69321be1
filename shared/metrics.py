"""What the metrics of api and worker have in common: one registry per process, and the buckets for times.

`docs/operations.md` is the table of every metric for readers; a test holds the two together.
"""

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics

# From 1 ms, which a small model needs, to the default PREDICT_TIMEOUT_S.
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


def new_registry() -> CollectorRegistry:
    """A registry with this process's memory, processor time and open files (`process_…`)."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no annotation there
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    return registry
