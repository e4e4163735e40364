"""The shape of a call at a platform: what was asked, what is answered, and how it is refused.

Pure: it knows no aiohttp. The platforms' files are written in these terms.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

CallKind = Literal["login", "token", "phone", "session", "unionid"]
CALL_KINDS: tuple[CallKind, ...] = get_args(CallKind)
Number = int | str
"""A platform's own error number; Baidu also has words."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a platform reads it: the first of repeated names counts."""

    method: str
    query: Mapping[str, str] = field(repr=False)
    form: Mapping[str, str] = field(repr=False)
    json: Mapping[str, object] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    has_body: bool

    @property
    def either(self) -> Mapping[str, str]:
        """The form's fields, and the query's where the form has none of that name."""
        return {**self.query, **self.form}

    def text(self, name: str) -> str:
        """Read a text out of the JSON body; empty where there is none."""
        value = self.json.get(name)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it is written: a JSON object, and how it travels."""

    payload: Mapping[str, object] = field(repr=False)
    status: int = 200
    content_type: str = "application/json"

    @property
    def body(self) -> bytes:
        """The JSON text in UTF-8."""
        return json.dumps(self.payload, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Call:
    """One path of one platform. `refuse` puts a number into that path's own shape."""

    platform: str
    kind: CallKind
    methods: tuple[str, ...]
    path: str
    answer: Callable[[Asked], Answer]
    refuse: Callable[[Number], Answer]
