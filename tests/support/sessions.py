"""Made-up sessions and a clock moved by hand, for tests that need them."""

from dataclasses import replace
from itertools import count

from gateway.sessions.model import Kind, Session, Subject
from gateway.sessions.store import subject_key_of
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


def make_key(name: str, subject: Subject) -> str:
    """A key that begins as the subject's does: all that is kept of a subject lies on one slot."""
    first = subject_key_of(subject)[0]
    keys = (session_key_of(f"{name}-{attempt}") for attempt in count())
    return next(key for key in keys if key[0] == first)


def make_neighbour(subject: Subject) -> Subject:
    """Another subject whose keys begin alike."""
    first = subject_key_of(subject)[0]
    others = (replace(subject, id=f"{subject.id}-{attempt}") for attempt in count())
    return next(other for other in others if subject_key_of(other)[0] == first)


def make_successor(
    session: Session, number: int, *, at: float = START_AT, lifetime_s: float = 1000.0
) -> Session:
    """What a renewal at this moment puts in a session's place."""
    return replace(
        session,
        key=make_key(f"session-{number}", session.subject),
        successor=None,
        expires_at=at + lifetime_s,
        last_used_at=at,
    )


def make_session(
    number: int,
    subject: Subject | None = None,
    *,
    app: str = "shop",
    created_at: float = START_AT,
    lifetime_s: float = 1000.0,
) -> Session:
    """A session of its own key, made from `number` and the subject."""
    subject = subject or make_subject()
    return Session(
        key=make_key(f"session-{number}", subject),
        subject=subject,
        app=app,
        openid=subject.id if subject.kind == "user" else None,
        unionid=None,
        anonymous_openid=subject.id if subject.kind == "anonymous" else None,
        created_at=created_at,
        expires_at=created_at + lifetime_s,
        last_used_at=created_at,
    )
