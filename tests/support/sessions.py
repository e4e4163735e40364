"""Made-up sessions and a clock moved by hand, for tests that need them."""

from gateway.sessions.model import Kind, Session, Subject
from gateway.sessions.token import session_key_of

START_AT = 1_800_000_000.25


class HandClock:
    """Seconds since the epoch, moved only by hand."""

    def __init__(self, now: float = START_AT) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


def make_subject(
    name: str = "o-alice", platform: str = "wechat", app_id: str = "wx1", kind: Kind = "user"
) -> Subject:
    return Subject(platform, app_id, kind, name)


def make_session(
    number: int,
    subject: Subject | None = None,
    *,
    app: str = "shop",
    created_at: float = START_AT,
    lifetime_s: float = 1000.0,
) -> Session:
    """A session of its own key, made from `number`."""
    subject = subject or make_subject()
    return Session(
        key=session_key_of(f"session-{number}"),
        subject=subject,
        app=app,
        openid=subject.id if subject.kind == "user" else None,
        unionid=None,
        anonymous_openid=subject.id if subject.kind == "anonymous" else None,
        created_at=created_at,
        expires_at=created_at + lifetime_s,
        last_used_at=created_at,
    )
