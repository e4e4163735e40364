"""Opens the TLS files of services as start-up does, so that a check finds what would end the start.

That they are there and readable, `references` has seen already; here is what they hold.
"""

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateway.settings.findings import Finding, Loc
from gateway.settings.walk import Raw, parts, section


def check_tls_files(raw: Raw, base: Path) -> Iterator[Finding]:
    """Find TLS files that cannot be used; what could not be read is no text any more."""
    for loc, _ in parts(raw, "upstreams"):
        place = (*loc, "tls")
        written = section(raw, *place)
        files = {key: base / path for key, path in written.items() if isinstance(path, str)}
        yield from _check_certificates(place, "ca", files)
        yield from _check_pair(place, files)


def _check_certificates(place: Loc, key: str, files: Mapping[str, Path]) -> Iterator[Finding]:
    if key not in files:
        return
    try:
        ssl.create_default_context(cafile=files[key])
    except OSError as error:
        found = f"{files[key]}, which holds none that can be used{_reason(error)}"
        yield Finding((*place, key), "a file with certificates in PEM", found)


def _check_pair(place: Loc, files: Mapping[str, Path]) -> Iterator[Finding]:
    bad = list(_check_certificates(place, "cert", files))
    yield from bad
    if bad or not {"cert", "key"} <= files.keys():
        return
    try:
        # A key with a password would make OpenSSL ask for it on the terminal, and wait.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(files["cert"], files["key"], password=lambda: "")
    except OSError as error:
        allowed = "the private key of this certificate, in PEM and without a password"
        found = f"{files['key']}, which cannot be used{_reason(error)}"
        yield Finding((*place, "key"), allowed, found)


def _reason(error: OSError) -> str:
    """What OpenSSL calls it, such as KEY_VALUES_MISMATCH; it never quotes the file."""
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return f" ({reason})" if reason else ""
