"""Says in one line why a start failed: which file, which address. For whoever reads a terminal."""

import errno
import re

from gateway.errors import GatewayError
from gateway.sessions.faults import tell as tell_fault
from gateway.settings import Settings


def tell(error: OSError | GatewayError, addresses: str = "") -> str:
    """Name the file or the address; `addresses` where the system's words name neither.

    A store's fault is told with its cause, where that is fit to be told.
    """
    if isinstance(error, GatewayError):
        return tell_fault(error)
    what = error.strerror or str(error)
    if error.filename is not None:
        return f"{error.filename}: {what}"
    if not re.search(r"\(.*\d\)", what) and addresses:
        what = f"{what} ({addresses})"
    if error.errno == errno.EADDRINUSE:
        what = f"{what}; is another gateway running?"
    return what


def addresses_of(settings: Settings) -> str:
    """Name the addresses that a start wants."""
    return f"server.listen {settings.server.listen}, admin.listen {settings.admin.listen}"
