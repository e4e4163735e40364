"""Decides which metrics there are: name, kind, labels, and how workers' values become one. Pure.

Names follow Prometheus' conventions (prometheus.io/docs/practices/naming): base units, `_total` on
counters. Every label's values are bounded by the settings or by our own code: never a path, an
address, a header, an openid or anything else a client writes (attacks.md D8, L2). The same table
stands in docs/metrics.md.
"""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]
Merge = Literal["sum", "min"]

BOUNDS_S: Final = (
    *(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Upper bounds of the histogram's buckets in seconds, less the last, which takes the rest.

The finest tell our own time from a service's: the gateway adds a fraction of a millisecond.
"""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `name` is the one that queries say, `merge` what makes one value of many.

    With `by_worker` nothing is merged: the series get a label `worker`, which `labels` leaves out.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    merge: Merge = "sum"
    by_worker: bool = False

    @property
    def all_labels(self) -> tuple[str, ...]:
        """The labels as they are shown."""
        return (*self.labels, "worker") if self.by_worker else self.labels

    @property
    def unit(self) -> str:
        """The base unit the name ends in, or nothing."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in ("seconds", "bytes") else ""


# -- requests -------------------------------------------------------------------------------------

REQUESTS = Metric(
    "gateway_requests_total",
    "counter",
    ("route", "upstream", "method", "status", "error", "platform"),
    "Requests of the public listener that have ended, refused ones and broken-off ones too.",
)
REQUEST_DURATION = Metric(
    "gateway_request_duration_seconds",
    "histogram",
    ("route", "status_class"),
    "Time from a request's head until its whole answer was written; 1xx: until a WebSocket ended.",
)
RESPONSE_BYTES = Metric(
    "gateway_response_body_bytes_total",
    "counter",
    ("route",),
    "Bytes of answers' bodies sent to clients.",
)
IN_FLIGHT = Metric(
    "gateway_requests_in_flight",
    "gauge",
    (),
    "Client connections with a request under way or an open WebSocket.",
)
CLIENT_CONNECTIONS = Metric(
    "gateway_client_connections", "gauge", (), "Open client connections of the public listener."
)

# -- logins and sessions --------------------------------------------------------------------------

LOGINS = Metric(
    "gateway_logins_total",
    "counter",
    ("platform", "app", "outcome"),
    "Calls of the login endpoint by how they ended: ok, an error's code, or abandoned.",
)
SESSIONS_CREATED = Metric(
    "gateway_sessions_created_total",
    "counter",
    ("platform", "app"),
    "Sessions that were begun.",
)
SESSIONS_ENDED = Metric(
    "gateway_sessions_ended_total",
    "counter",
    ("reason",),
    "Sessions that somebody ended, by the reason; expiry is nobody's act and not counted.",
)
ENDINGS_WAITING = Metric(
    "gateway_session_endings_unconfirmed",
    "gauge",
    (),
    "Endings of sessions that stand here while the store has not confirmed them; 0 is normal.",
)
STORE_CALLS = Metric(
    "gateway_session_store_calls_total",
    "counter",
    ("call", "outcome"),
    "Calls of the session store by how they ended: ok or an error's code; get: not in the cache.",
)

# -- upstreams ------------------------------------------------------------------------------------

TARGET_UP = Metric(
    "gateway_upstream_target_up",
    "gauge",
    ("upstream", "target"),
    "Whether requests are sent to this target: 1, or 0 as soon as one worker holds it for down.",
    merge="min",
)
UPSTREAM_CONNECTIONS = Metric(
    "gateway_upstream_connections",
    "gauge",
    ("upstream", "target", "state"),
    "Connections to a target: in_use (also being opened) or idle.",
)
UPSTREAM_WAITING = Metric(
    "gateway_upstream_waiting_requests",
    "gauge",
    ("upstream", "target"),
    "Requests that wait for a connection to a target, because all are in use.",
)
UPSTREAM_ATTEMPTS = Metric(
    "gateway_upstream_attempts_total",
    "counter",
    ("upstream", "target"),
    "Requests that got a connection to a target; a retry is one more.",
)
CONNECT_FAILURES = Metric(
    "gateway_upstream_connect_failures_total",
    "counter",
    ("upstream", "target"),
    "Connections to a target that could not be opened.",
)
EJECTIONS = Metric(
    "gateway_upstream_ejections_total",
    "counter",
    ("upstream", "target"),
    "Times a worker took a target out because its requests failed.",
)
RETRIES = Metric(
    "gateway_upstream_retries_total",
    "counter",
    ("upstream",),
    "Requests that were sent once more after a failure.",
)

# -- processes ------------------------------------------------------------------------------------

WORKER_CPU = Metric(
    "gateway_worker_cpu_seconds_total",
    "counter",
    (),
    "Processor time of a worker, and of those that had its place before.",
    by_worker=True,
)
WORKER_MEMORY = Metric(
    "gateway_worker_resident_memory_bytes",
    "gauge",
    (),
    "Memory of a worker that is in RAM; shared pages count in each.",
    by_worker=True,
)
WORKERS = Metric("gateway_workers", "gauge", (), "Worker processes that are counted here.")
WORKER_EXITS = Metric(
    "gateway_worker_exits_total", "counter", (), "Worker processes that have ended."
)
BUILD_INFO = Metric(
    "gateway_build_info",
    "gauge",
    ("version", "python"),
    "Always 1; the labels tell the gateway's version and Python's.",
)

CATALOGUE: Final = (
    *(REQUESTS, REQUEST_DURATION, RESPONSE_BYTES, IN_FLIGHT, CLIENT_CONNECTIONS),
    *(LOGINS, SESSIONS_CREATED, SESSIONS_ENDED, ENDINGS_WAITING, STORE_CALLS),
    *(TARGET_UP, UPSTREAM_CONNECTIONS, UPSTREAM_WAITING, UPSTREAM_ATTEMPTS, CONNECT_FAILURES),
    *(EJECTIONS, RETRIES),
    *(WORKER_CPU, WORKER_MEMORY, WORKERS, WORKER_EXITS, BUILD_INFO),
)
"""All metrics, in the order in which they are shown."""
