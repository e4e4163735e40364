"""Says who calls, in the headers a service reads. Pure; design section 7, native profile."""

from gateway.errors import GatewayError
from gateway.headers import Field
from gateway.sessions.model import Session


def identity_headers(session: Session | None) -> list[Field]:
    """Build the native profile; a name without a value is left out, never empty.

    Ids are checked when the platform gives them; what no header can carry is refused here again.
    Raises: GatewayError internal_error.
    """
    if session is None:
        return []
    subject = session.subject
    named = (
        (b"X-OpenId", session.openid),
        (b"X-Platform", subject.platform),
        (b"X-AppId", subject.app_id),
        (b"X-Subject", str(subject)),
        (b"X-UnionId", session.unionid),
        (b"X-Anonymous-OpenId", session.anonymous_openid),
        (b"X-User-Id", session.user_id),
        (b"X-Session-Id", session.key),
    )
    given = [(name, value) for name, value in named if value]
    if not _is_plain("".join(value for _, value in given)):
        raise GatewayError("internal_error", "this session holds an id that no header can carry")
    return [(name, value.encode("ascii")) for name, value in given]


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()
