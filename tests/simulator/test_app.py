"""The simulator as a whole: one domain, no collisions, bounded memory, no secrets shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.simulator.app import SimulatedApp, build_simulator

if TYPE_CHECKING:
    from tests.simulator.conftest import HandClock, Simulator, StartSim


def test_no_two_platforms_share_a_path(clock: HandClock) -> None:
    """Each method and path is served once."""
    routes = build_simulator(None, clock).router.routes()
    served = [(r.method, r.resource.canonical) for r in routes if r.resource is not None]
    assert len(served) == len(set(served))
    assert len(served) > 20


async def test_the_oldest_code_is_dropped(start_sim: StartSim) -> None:
    """With room for two codes, a third pushes the first out."""
    sim = await start_sim(None, keep=2)
    codes = [await sim.code("wechat", "wx1", f"user-{i}") for i in range(3)]
    query = {"appid": "wx1", "secret": "any", "grant_type": "authorization_code"}
    told = [(await sim.get("/sns/jscode2session", js_code=c, **query)).json for c in codes]
    assert [answer.get("errcode") for answer in told] == [40029, None, None]


async def test_other_methods_and_paths(sim: Simulator) -> None:
    """What no platform serves is plain HTTP's 404 and 405."""
    assert (await sim.get("/sns/other")).status == 404
    assert (await sim.get("/api/apps/v2/jscode2session")).status == 405


def test_secrets_do_not_print() -> None:
    """An app's repr shows no secret."""
    assert "hidden" not in repr(SimulatedApp("wechat", "wx1", "hidden"))
