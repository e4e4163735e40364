"""The settings of each stage, and the stages that run: each is started when a row first asks."""

import contextlib
from collections import ChainMap
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from tests.attack.rows import d_stages, l_stages, route_stages, s_stages
from tests.attack.stage import Stage, on_stage

HOST = b"gw.test"
PARTS: tuple[Mapping[str, Mapping[str, object]], ...] = (
    {"usual": {}},
    d_stages.SETTINGS,
    s_stages.SETTINGS,
    l_stages.SETTINGS,
    route_stages.SETTINGS,
)
SETTINGS: Mapping[str, Mapping[str, object]] = dict(ChainMap(*map(dict, PARTS)))
"""What is laid over the usual settings (`stage.usual_settings`)."""


class Stages:
    """Stages by name; all end with the block."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._running: dict[str, Stage] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running.clear()
        self._stack.close()

    def get(self, name: str) -> Stage:
        """Return a stage that runs."""
        if name not in self._running:
            stage = on_stage(name, SETTINGS[name], HOST)
            self._running[name] = self._stack.enter_context(stage)
        return self._running[name]
