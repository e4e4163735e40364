"""D: resource exhaustion, scaled down; `tests.attack.slow` does the same on the usual scale."""

from collections.abc import Iterator

from tests.attack.model import Entry, NotApplicable, Proven
from tests.attack.rows import d_checks, d_cpu, d_places, d_sizes

FAMILY = "D"
_HERE = "tests/attack/test_slow.py"
_MATRIX = "tests/test_limits_matrix.py"
_MENDED = "tests/test_mended.py"
_REDIS = "tests/sessions/redis/test_store.py"
_SQLITE = "tests/sessions/sqlite/test_failures.py"
_LOG = "tests/test_access_log.py"
_UPLOAD = "tests/proxy/test_upload.py"
_POOL = "tests/proxy/test_pool.py"

_PROVEN: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "D1",
        "idle, half-sent and dribbled heads end at the header deadline; others are served",
        (
            f"{_HERE}::test_heads_that_do_not_come",
            f"{_HERE}::test_many_addresses",
            f"{_MATRIX}::test_slow_heads_hold_nothing",
            f"{_MATRIX}::test_a_head_begun_behind_a_body_has_a_deadline",
            f"{_MENDED}::test_dribbling_does_not_extend_the_deadline",
            f"{_MENDED}::test_an_unused_connection_ends",
        ),
    ),
    (
        "D2",
        "slow bodies and slow readers keep nobody else out, and end",
        (
            f"{_HERE}::test_bodies_that_do_not_come",
            f"{_HERE}::test_answers_that_are_not_read",
            f"{_MATRIX}::test_slow_bodies_give_their_places_back",
            f"{_MATRIX}::test_slow_readers_give_their_places_back",
        ),
    ),
    (
        "D4",
        "connections are counted by address and in all; the accept queue is served",
        (
            f"{_MATRIX}::test_connections_are_bounded",
            f"{_MENDED}::test_what_no_parser_reads_keeps_no_connection",
            f"{_MENDED}::test_a_failure_of_aiohttp_keeps_no_connection",
            f"{_MENDED}::test_a_client_that_goes_frees_its_place",
            f"{_MENDED}::test_a_client_that_ends_behind_what_is_not_read_frees_its_place",
            "tests/admin/test_listener.py::test_who_takes_nothing_is_not_waited_for",
            "tests/test_server.py",
            "tests/supervisor/test_parent.py::test_what_waits_in_the_queue_is_served_before_the_end",
        ),
    ),
    (
        "D5",
        "back-pressure both ways",
        (
            f"{_MATRIX}::test_many_slow_readers_hold_little",
            f"{_MATRIX}::test_requests_nobody_answers_yet_are_not_gathered",
            f"{_UPLOAD}::test_a_service_that_does_not_read_stops_the_client",
            "tests/proxy/test_relay.py::test_a_client_that_does_not_read_stops_the_service",
            "tests/proxy/test_tunnel.py::test_a_client_that_does_not_read_stops_the_service",
        ),
    ),
    (
        "D6",
        "a dribbled body is given up, and keeps no place that others need",
        (
            f"{_UPLOAD}::test_a_dribbled_body_is_given_up",
            f"{_MATRIX}::test_the_least_rate_is_the_operators",
            f"{_POOL}::test_a_full_pool_is_overloaded_after_the_connect_time",
            f"{_POOL}::test_a_place_is_taken_from_who_holds_many_up",
            "tests/proxy/test_holdups.py",
            "tests/proxy/test_queue.py",
            "tests/proxy/test_crowding.py",
        ),
    ),
    (
        "D8",
        "labels and caches are bounded",
        (
            "tests/metrics/test_counts.py::test_there_are_never_more_series_than_the_bound",
            "tests/metrics/test_counts.py::test_unknown_methods_are_one",
            "tests/metrics/test_counts.py::test_nothing_of_a_client_is_told",
            "tests/metrics/test_catalogue.py::test_labels_are_bounded",
            "tests/endpoints/test_memory_counters.py::test_memory_is_bounded",
            "tests/sessions/test_cache.py::test_the_unused_go_first",
            "tests/proxy/test_resolve.py::test_what_is_kept_is_bounded",
        ),
    ),
    (
        "D9",
        "dead, silent and killed services: one retry within a budget, ejection, recovery",
        (
            "tests/proxy/test_upstream.py",
            "tests/proxy/test_retry.py",
            "tests/proxy/test_budget.py",
            "tests/proxy/test_ejection.py",
            "tests/proxy/test_health.py",
            f"{_UPLOAD}::test_who_waits_for_a_100_does_not_speak_against_the_target",
            "tests/proxy/test_killed_target.py",
            "tests/proxy/test_reset_when_idle.py",
            "tests/proxy/test_dial.py::test_a_swallowed_connect_does_not_use_up_the_time",
        ),
    ),
    (
        "D10",
        "files: connections leave some for services and the store",
        ("tests/supervisor/test_open_files.py",),
    ),
    (
        "D10",
        "disk full, for the log and for the store",
        (
            f"{_LOG}::test_a_full_disk_fails_no_request",
            f"{_LOG}::test_a_pipe_that_nobody_reads_holds_nothing_up",
            f"{_LOG}::test_only_so_many_lines_wait",
            f"{_SQLITE}::test_disk_full",
            f"{_SQLITE}::test_no_room_for_the_log",
        ),
    ),
    (
        "D10",
        "Redis stopped, hanging, full, without its primary",
        (
            f"{_REDIS}::test_stopped_and_started",
            f"{_REDIS}::test_hanging",
            f"{_REDIS}::test_never_there",
            f"{_REDIS}::test_full",
            f"{_REDIS}::test_a_login_that_is_not_confirmed",
            "tests/together/test_failover.py",
        ),
    ),
    (
        "D10",
        "the clock jumps",
        (
            f"{_SQLITE}::test_the_clock_jumps_there_and_back",
            "tests/sessions/test_store.py::test_the_clock_jumps_there_and_back",
            "tests/sessions/test_contact.py::test_trust_ends_though_the_wall_clock_was_set_back",
            "tests/sessions/test_upkeep.py::test_a_clock_set_forward_removes_nothing",
            "tests/endpoints/test_memory_counters.py::test_a_clock_that_is_set_back",
        ),
    ),
)


def entries() -> Iterator[Entry]:
    """List the family's entries."""
    yield from d_sizes.entries()
    yield from d_checks.entries()
    yield from d_places.entries()
    yield from d_cpu.entries(FAMILY)
    for row, title, tests in _PROVEN:
        yield Proven(row=row, title=title, tests=tests)
    yield NotApplicable(
        row="D4",
        title="connections of a user",
        reason="no setting caps them: a user is known only after a head",
    )
    yield NotApplicable(
        row="D7",
        title="routes by regular expression",
        reason="routes are exact paths and prefixes; no setting takes a regular expression",
    )
