"""How often each platform was called, and with which codes, so that a test can count exchanges.

It counts what arrived, before anything is decided about it, and never shows a secret.
"""

from collections.abc import Mapping

from gateway.simulator.bounded import Bounded
from gateway.simulator.calls import CALL_KINDS, Asked, Call
from gateway.simulator.codes import Codes
from gateway.simulator.world import PLATFORMS

CODE_FIELDS = ("code", "js_code", "anonymous_code")


class Tally:
    """Counters per platform and kind of call, and per code handed out, the newest `keep`."""

    def __init__(self, codes: Codes, keep: int) -> None:
        self._known = codes
        self._calls = {platform: dict.fromkeys(CALL_KINDS, 0) for platform in PLATFORMS}
        self._codes: Bounded[str, int] = Bounded(keep)

    def count(self, call: Call, asked: Asked) -> None:
        """Count one call and the codes in it; what is not a code of ours is not shown."""
        self._calls[call.platform][call.kind] += 1
        for code in sent_codes(asked):
            if code in self._known:
                self._codes[code] = self._codes.get(code, 0) + 1

    def shown(self) -> Mapping[str, object]:
        """List all counters."""
        return {"platforms": self._calls, "codes": dict(self._codes)}


def sent_codes(asked: Asked) -> tuple[str, ...]:
    """Find the codes in a request, wherever its platform has them sent."""
    sent = (asked.either.get(name) or asked.text(name) for name in CODE_FIELDS)
    return tuple(code for code in sent if code)
