"""What the metrics of api and worker have in common: one registry a process, and the buckets.

`docs/operations.md` is the table of every metric for readers; a test holds the two together.
"""

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics

# From a millisecond, which a small model needs, to the longest time that a caller waits by default.
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROW_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
TOKEN_BUCKETS = (8, 16, 32, 64, 128, 256, 512, 1024)


def new_registry() -> CollectorRegistry:
    """A registry that already has memory, processor time and open files of this process (`process_…`)."""
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no annotation there
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    return registry
