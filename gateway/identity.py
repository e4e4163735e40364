"""Says who calls, in the headers a service reads. Pure; design section 7, native profile."""

from gateway.errors import GatewayError
from gateway.sessions.model import Session


def identity_lines(session: Session) -> str:
    """Build the native profile as header lines; a name without a value is left out, never empty.

    Ids are checked when the platform gives them; what no header can carry is refused here again.
    Raises: GatewayError internal_error.
    """
    if session.identity is not None:
        return session.identity
    subject = session.subject
    lines = []
    if session.openid:
        lines.append(f"X-OpenId: {session.openid}")
    lines.append(f"X-Platform: {subject.platform}")
    lines.append(f"X-AppId: {subject.app_id}")
    lines.append(f"X-Subject: {subject}")
    if session.unionid:
        lines.append(f"X-UnionId: {session.unionid}")
    if session.anonymous_openid:
        lines.append(f"X-Anonymous-OpenId: {session.anonymous_openid}")
    if session.user_id:
        lines.append(f"X-User-Id: {session.user_id}")
    lines.append(f"X-Session-Id: {session.key}\r\n")
    text = "\r\n".join(lines)
    if not _is_plain(text, len(lines)):
        raise GatewayError("internal_error", "this session holds an id that no header can carry")
    object.__setattr__(session, "identity", text)
    return text


def _is_plain(text: str, lines: int) -> bool:
    """Tell whether nothing but our own line ends is outside printable ASCII."""
    return text.isascii() and text.count("\n") == lines and text.replace("\r\n", "").isprintable()
