"""The peers: their names, their settings, and why one is left out."""

from pathlib import Path

import pytest
import yaml

from bench.machine import Cores
from bench.peers import PEERS
from bench.peers.base import Peer, Place, SkippedError, quoted
from bench.peers.python import OURS, Change, first_problem, gateway, gateway_settings
from bench.sessions import SessionSet, make_sessions
from gateway.loader import load


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place with ports nobody listens on."""
    folder = tmp_path / "peer"
    folder.mkdir()
    sessions: SessionSet = make_sessions(tmp_path, 1)
    return Place(folder, 18080, 18081, Cores(0, 1, 1, (0, 1), (0, 1)), sessions)


def test_peers_have_names_of_their_own() -> None:
    """They are asked for by name."""
    assert len({peer.name for peer in PEERS}) == len(PEERS)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_says_what_it_does(peer: Peer) -> None:
    """The report shows it beside the numbers."""
    assert peer.title
    assert peer.note


def test_ours_leaves_every_default_on(place: Place) -> None:
    """A session is required, the log is a file, and nothing is tuned."""
    path = place.write("gateway.yaml", yaml.safe_dump(gateway_settings(place, Change())))
    path.chmod(0o600)
    settings = load(path, {}).settings
    assert [route.session for route in settings.routes] == ["required"]
    assert settings.logs.access == place.folder / "access.log"
    bare = place.write("bare.yaml", "environment: development\n")
    defaults = load(bare, {}).settings
    assert settings.server.limits == defaults.server.limits
    assert settings.server.timeouts == defaults.server.timeouts
    assert settings.session.cache == defaults.session.cache


def test_ours_is_started_as_users_start_it(place: Place) -> None:
    """By `gateway serve`, on the proxy's core."""
    [program] = OURS.programs(place)
    assert program.argv[1:4] == ("-m", "gateway", "serve")
    assert program.cores == (0,)


def test_settings_that_are_refused_leave_a_part_out(place: Place) -> None:
    """With what the gateway says of them."""
    with pytest.raises(SkippedError, match=r"server\.workers"):
        gateway(place, (0,), Change(workers=-1))


def test_a_refusal_is_told_without_its_file() -> None:
    """The report names no folder of this machine."""
    said = "/tmp/x/gateway.yaml:13: server.workers: found 2; allowed: 1\nmore\n"  # noqa: S108 - a text
    assert first_problem(said) == "server.workers: found 2; allowed: 1"
    assert first_problem("") == "no word"


def test_a_folder_that_settings_cannot_hold_is_told() -> None:
    """Before a program reads half of its name."""
    assert quoted(Path("/tmp/bench-a_1")) == "/tmp/bench-a_1"  # noqa: S108 - a text
    with pytest.raises(SkippedError, match="folder"):
        quoted(Path("/tmp/two words"))  # noqa: S108 - a text
