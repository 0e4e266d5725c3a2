"""Metrics for Prometheus: counted where it happens, or read from the sessions on request."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# counters of `Sessions.statistics` and their help texts
COUNTED = {
    "events": "events read",
    "batches": "batches of events",
    "conflicts": "writes that conflicted with another worker's",
    "retries": "events read again after a conflict",
    "evicted": "sessions deleted to make room",
    "expired": "sessions deleted after their time to live",
    "repeated": "repeated events that got their earlier answer",
    "too_late": "repeated events that were refused, as their answer is no longer kept",
    "restarted": "sessions of another model that were restarted",
    "unavailable": "events that failed as the store was unavailable",
    "refused": "events the model could not read",
    "unknown_tokens": "characters, words, values and items in events that training never saw",
    "missing_values": "missing values in events",
    "gaps_filled": "rows of series that were missing between events",
    "unseen_series": "series that training never saw",
    "rows_left_out": "events that were left out, such as visits at no known place",
    "times_that_did_not_fit": "rows of series whose times do not follow the clock",
}
MEASURED = {
    "largest_batch": "events of the largest batch",
    "waiting": "events waiting now",
    "session_bytes": "bytes of this process that sessions take",
}


class Metrics:
    """The metrics of one process.

    Args:
        statistics: returns the counters of the sessions, by name.
    """

    def __init__(self, statistics: Callable[[], Mapping[str, float]]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "unrolled_requests", "requests answered", ("route", "method", "status"), registry=self.registry
        )
        self.request_seconds = Histogram(
            "unrolled_request_seconds", "time to answer a request", ("route",), registry=self.registry, buckets=SECONDS
        )
        self.event_seconds = Spread("unrolled_event_seconds", "time from an event's arrival to its answer")
        self.registry.register(self.event_seconds)
        self.errors = Counter("unrolled_errors", "errors sent to clients", ("kind",), registry=self.registry)
        self.sockets = Gauge("unrolled_sockets", "WebSocket connections open now", registry=self.registry)
        self.tokens = Counter("unrolled_tokens", "tokens written", registry=self.registry)
        self.reloads = Counter(
            "unrolled_reloads", "models reloaded while running", ("outcome",), registry=self.registry
        )
        self.registry.register(_OfSessions(statistics))

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)


class Spread(Collector):
    """A histogram without a lock, for the thread of the event loop only.

    Args:
        name: of the metric.
        text: its help text; values are in seconds.
    """

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text
        self._counts, self._sum = [0] * (len(SECONDS) + 1), 0.0

    def observe(self, seconds: float) -> None:
        """Add one observation."""
        self._counts[bisect_left(SECONDS, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterator[Metric]:
        """Return the histogram of all observations so far."""
        bounds = [*map(str, SECONDS), "+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(self._counts)), strict=True))
        yield HistogramMetricFamily(self._name, self._text, buckets=buckets, sum_value=self._sum)


class _OfSessions(Collector):
    def __init__(self, statistics: Callable[[], Mapping[str, float]]) -> None:
        self._statistics = statistics

    def collect(self) -> Iterator[Metric]:
        found = self._statistics()
        for name, text in COUNTED.items():
            if name in found:
                yield CounterMetricFamily(f"unrolled_{name}", text, found[name])
        for name, text in MEASURED.items():
            if name in found:
                yield GaugeMetricFamily(f"unrolled_{name}", text, found[name])
        if "sessions" in found:
            yield GaugeMetricFamily("unrolled_sessions", "sessions kept", found["sessions"])
