"""Sessions and subjects as values."""

import pytest

from gateway.sessions.model import Subject
from tests.support.sessions import make_session, make_subject


@pytest.mark.parametrize(
    ("subject", "written", "is_anonymous"),
    [
        (make_subject("o-alice"), "wechat:wx1:o-alice", False),
        (make_subject("a-1", kind="anonymous"), "wechat:wx1:anonymous:a-1", True),
    ],
)
def test_subject(subject: Subject, written: str, is_anonymous: bool) -> None:
    """A subject is written `platform:app_id:id`, a guest's with its kind (design section 5)."""
    assert str(subject) == written
    assert make_session(1, subject).is_anonymous is is_anonymous
