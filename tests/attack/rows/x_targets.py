"""X4: which addresses settings may name, and which they are warned of."""

from collections.abc import Iterator

from tests.attack.model import Check, Entry, NotApplicable
from tests.attack.rows.x_reading import GOOD, PRODUCTION, TARGET, refused, taken, warned

_PLACE = "upstreams.main.targets[0]"
_BASE = "apps.shop.api_base"
_GOOD_TARGETS = ("http://10.0.0.1", "https://10.0.0.1:9000", "http://evil.example.com", TARGET)
_TARGETS = (
    *("ftp://10.0.0.1", "file:///etc/passwd", "gopher://10.0.0.1:70", "ws://10.0.0.1"),
    *("//10.0.0.1", "javascript:1", "unix:", "unix://evil", "10.0.0.1:80", "http://a..b"),
    *("http://user@10.0.0.1", "http://user:password@10.0.0.1", "http://10.0.0.1#evil"),
    *("http://10.0.0.1?evil", "http://10.0.0.1/evil", "http://10.0.0.1:99999", "http://10.0.0.1:0"),
    *("http://", "http:// 10.0.0.1", "http://10.0.0.1\\@evil", "http://10.0.0.1%00", "HTTP://evil"),
    *(
        "http://2130706433",
        "http://0x7f.1",
        "http://0177.0.0.1",
        "http://127.1",
        "http://\u24d4vil",
    ),
    *("http://[::1", "http://::1", "http://10.0.0.1, http://evil", "http://evil.example.com.:80x"),
)
_METADATA = (
    *("http://169.254.169.254", "http://100.100.100.200", "http://169.254.0.23"),
    *("http://metadata.google.internal", "http://[fd00:ec2::254]"),
    *("http://[::ffff:169.254.169.254]", "http://[::ffff:a9fe:a9fe]", "http://169.254.170.2"),
)


_BASES = ("ftp://x", "http://u:p@x", "https://x/path", "https://x?y", "https://x#y", "x")


def _target(target: str) -> str:
    """Settings with this target; a backslash is one to YAML too."""
    return GOOD.replace(TARGET, f'"{target}"'.replace("\\", "\\\\"))


def _found(address: str) -> str:
    """How a refusal shows it: whatever may be a password is not said."""
    scheme, _, rest = address.partition("://")
    return f"'{scheme}://***@{rest.rpartition('@')[2]}'" if "@" in address else f"'{address}'"


def _based(text: str, base: str) -> str:
    return text.replace("wxattack,", f'wxattack, api_base: "{base}",')


def entries() -> Iterator[Entry]:
    """List this row."""
    for target in _GOOD_TARGETS:
        yield Check(row="X4", title=f"a target: {target}", run=taken(_target(target)))
    for target in _TARGETS:
        run = refused(_target(target), _PLACE, _found(target))
        yield Check(row="X4", title=f"no target: {target}", run=run)
    for base in _BASES:
        run = refused(_based(GOOD, base), _BASE, _found(base))
        yield Check(row="X4", title=f"no api_base: {base}", run=run)
    http, https = (_based(PRODUCTION, f"{scheme}://10.0.0.1") for scheme in ("http", "https"))
    yield Check(row="X4", title="production, to compare", run=taken(https))
    run = refused(http, _BASE, "'http://10.0.0.1'")
    yield Check(row="X4", title="no api_base: http in production", run=run)
    for target in _METADATA:
        run = warned(_target(target), _PLACE, "metadata service")
        yield Check(row="X4", title=f"warned of {target}", run=run)
    yield NotApplicable(
        row="X4",
        title="a warning of loopback",
        reason="`config/single-machine.yaml` and most small installations use it",
    )
