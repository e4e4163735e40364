"""The simulator put together: the platforms' paths and `/_sim`, all on one domain.

No two of the platforms share a path, so one host serves all (QQ would share WeChat's).
"""

from collections.abc import Sequence
from types import MappingProxyType

from aiohttp import web

from gateway.clock import Clock
from gateway.simulator import baidu, douyin, kuaishou, wechat
from gateway.simulator.baidu import Baidu
from gateway.simulator.calls import Call
from gateway.simulator.control import Control
from gateway.simulator.douyin import Douyin
from gateway.simulator.douyin_phone import DouyinPhone
from gateway.simulator.edge import Edge
from gateway.simulator.faults import Faults
from gateway.simulator.kuaishou import Kuaishou
from gateway.simulator.tally import Tally
from gateway.simulator.wechat import WeChat
from gateway.simulator.world import SimulatedApp, World

__all__ = ["SimulatedApp", "build_simulator"]

KEEP = 100_000
"""Codes, users and tokens remembered: a load test's worth, some tens of megabytes at most."""

NUMBERS = MappingProxyType(
    {
        wechat.PLATFORM: wechat.FAULT_NUMBERS,
        douyin.PLATFORM: douyin.FAULT_NUMBERS,
        baidu.PLATFORM: baidu.FAULT_NUMBERS,
        kuaishou.PLATFORM: kuaishou.FAULT_NUMBERS,
    }
)


def build_simulator(
    apps: Sequence[SimulatedApp] | None, clock: Clock, *, keep: int = KEEP
) -> web.Application:
    """Build the simulator; with `apps` None every app id is known, with any secret.

    `keep` bounds each table: the oldest codes, users and tokens are forgotten first.
    """
    world = World(apps, clock, keep)
    faults, tally = Faults(), Tally(world.codes, keep)
    edge = Edge(faults, tally)
    application = web.Application()
    for call in _calls(world):
        for method in call.methods:
            application.router.add_route(method, call.path, edge.handler(call))
    application.router.add_routes(Control(world, faults, tally, NUMBERS).routes())
    return application


def _calls(world: World) -> list[Call]:
    platforms = (WeChat(world), Douyin(world), DouyinPhone(world), Baidu(world), Kuaishou(world))
    return [call for platform in platforms for call in platform.calls()]
