"""The audit log of the admin API: each call is one line: who, what, the answer, and what it did.

It must not hold a token or an openid: subjects are told as the access log tells them, hashed.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from aiohttp import web

from gateway.sessions.model import Subject, hash_subject

_audit = logging.getLogger("gateway.audit")


@dataclass(slots=True)
class Record:
    """One call, as it becomes known. `holder` is the admin token's name."""

    holder: str = "-"
    outcome: str = "failed"
    _told: list[tuple[str, str]] = field(default_factory=list)

    def tell(self, name: str, value: int | str) -> None:
        """Note what the call did; a text is quoted, so that it can look like nothing else."""
        shown = str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False)
        self._told.append((name, shown))

    def tell_subjects(self, subjects: Iterable[Subject]) -> None:
        """Note whom it concerned."""
        self._told.append(("subject", ",".join(hash_subject(str(each)) for each in subjects)))

    def write(self, method: str, path: str) -> None:
        """Write the line."""
        told = "".join(f" {name}={value}" for name, value in self._told)
        _audit.info(
            "admin=%s call=%s %s outcome=%s%s", self.holder, method, path, self.outcome, told
        )


RECORD = web.RequestKey("audit_record", Record)
"""Where a request of the API keeps its record."""
