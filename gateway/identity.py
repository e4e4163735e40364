"""Says who calls, in the headers a service reads. Pure; design section 7, native profile."""

from gateway.headers import Field
from gateway.sessions.model import Session


def identity_headers(session: Session | None) -> list[Field]:
    """Build the native profile; a name without a value is left out, never empty.

    Values are plain ASCII without controls: ids are checked when the platform gives them.
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
    return [(name, value.encode("ascii")) for name, value in named if value]
