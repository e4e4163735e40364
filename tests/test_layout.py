"""Modules and tests match, and no file grows past what can be read at a sitting."""

from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
MAX_LINES = 300  # style.md section 1: a longer file usually holds two things
NO_TESTS_OF_THEIR_OWN = {
    "flights.py": "types only; who keeps them has tests of its own",
    "clock.py": "one line that reads the wall clock; everything else has a clock passed in",
}
NO_MODULE_OF_THEIR_OWN = {
    **{
        f"aiohttp_behaviours/test_{name}.py": "what aiohttp does by itself, and what we make of it"
        for name in (
            "bad_chunk",
            "cancellation",
            "expect",
            "parser_defaults",
            "reuse_port",
            "second_answer",
            "set_parser",
            "shutdown",
            "trailers",
        )
    },
    **{
        f"bench/test_{name}.py": "the benchmark, which is no part of the gateway"
        for name in (
            "frames",
            "latency",
            "load",
            "machine",
            "peers",
            "process",
            "report",
            "sessions",
            "stats",
            "stores_asking",
            "stores_backends",
            "stores_filling",
            "stores_found",
            "stores_measures",
            "stores_own",
            "stores_page",
            "stores_revocation",
            "stores_run",
            "warm",
        )
    },
    "test_bad_input.py": "every kind of bad input of the first issue, over the whole gateway",
    "test_config_examples.py": "the settings files of the repository",
    "test_docs.py": "the documents",
    "test_image.py": "the image and the files that pin what it installs",
    "test_layout.py": "this file",
    "proxy/test_fastpath_client.py": "what clients do while the fast path has their request",
    "proxy/test_fastpath_service.py": "what services do with a request the fast path has sent",
    "proxy/test_fastpath_slow_client.py": "clients that do not take what the fast path answers",
    "test_fastpath_same.py": "the property: with and without the fast path, the same bytes",
    "proxy/test_reset_when_idle.py": "idle connections reset in the turn that would take them",
    "proxy/test_killed_target.py": "targets that die under load, over the whole gateway",
    "sessions/test_key_rotation.py": "changing keys over restarts of whole gateways, both stores",
    "sessions/sqlite/test_failures.py": "locks, full disks, damage, SIGKILL: over the whole store",
    "sessions/test_state_machine.py": "the model of sessions, over a whole service on each store",
    "together/test_revoked_everywhere.py": "several processes on one store: what ends in one",
    "together/test_failover.py": "two gateways on a Redis that loses its primary or moves slots",
    "together/test_killed_logins.py": "processes killed in the middle of logins",
    "sessions/test_revocation.py": "endings and losses over several processes and both stores",
    "differential/test_httpbin.py": "a real web application, asked directly and through us",
    "differential/test_requests.py": "what a service sees of the same requests",
    "proxy/test_crowding.py": "who loses a place to others, over the whole gateway",
    "proxy/test_interim.py": "interim answers, from the connection to the client",
    "proxy/test_streaming.py": "streams piece by piece, over the whole gateway",
    "endpoints/test_login_stress.py": "one code at once, over two processes and both stores",
    "test_limits_matrix.py": "every limit of design section 3, over the whole gateway",
    "platforms/test_contract.py": "what every platform keeps",
    "platforms/test_contract_refusals.py": "the same, for refusals",
    "proxy/test_websocket.py": "a third-party WebSocket library, through the gateway and without",
}
SUITES = {"attack"}
"""Folders of tests over the whole gateway, which belong to no module."""
NOT_MODULES = {"__init__.py", "__main__.py"}
FILES = sorted((TOP / "gateway").rglob("*.py"))


def modules() -> set[str]:
    """Every module of the gateway, as a path below it."""
    paths = (TOP / "gateway").rglob("*.py")
    return {
        str(path.relative_to(TOP / "gateway")) for path in paths if path.name not in NOT_MODULES
    }


def files_of_tests() -> set[str]:
    """Every file of tests, as a path below tests."""
    found = {path.relative_to(TOP / "tests") for path in (TOP / "tests").rglob("test_*.py")}
    return {str(path) for path in found if path.parts[0] not in SUITES}


def mirrored(module: str) -> str:
    """Where a module's tests stand: the same folder, the same name."""
    path = Path(module)
    return str(path.with_name(f"test_{path.name}"))


@pytest.mark.parametrize("module", sorted(modules() - set(NO_TESTS_OF_THEIR_OWN)))
def test_a_module_has_its_tests(module: str) -> None:
    """So that who changes a module knows where its promises are kept."""
    assert mirrored(module) in files_of_tests()


@pytest.mark.parametrize("path", sorted(files_of_tests() - set(NO_MODULE_OF_THEIR_OWN)))
def test_a_test_file_belongs_to_a_module(path: str) -> None:
    """A test that outlives its module, or belongs to several, says so in the table."""
    assert path in {mirrored(module) for module in modules()}


def test_the_exceptions_are_needed() -> None:
    """A row whose reason is gone goes too."""
    assert set(NO_TESTS_OF_THEIR_OWN) <= modules()
    assert not {mirrored(module) for module in NO_TESTS_OF_THEIR_OWN} & files_of_tests()
    assert set(NO_MODULE_OF_THEIR_OWN) <= files_of_tests()
    assert not {mirrored(module) for module in modules()} & set(NO_MODULE_OF_THEIR_OWN)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TOP)))
def test_a_module_can_be_read_at_a_sitting(path: Path) -> None:
    """At most 300 lines."""
    lines = path.read_text().count("\n")
    assert lines <= MAX_LINES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TOP)))
def test_a_module_says_what_it_decides(path: Path) -> None:
    """Each begins with a docstring."""
    assert path.read_text().startswith('"""')
