"""A call's line in the audit log."""

import logging

import pytest

from gateway.admin.audit import Record
from tests.support.sessions import make_subject


def written(record: Record, caplog: pytest.LogCaptureFixture) -> str:
    caplog.set_level(logging.INFO, "gateway.audit")
    record.write("POST", "/api/x")
    (line,) = [each.getMessage() for each in caplog.records]
    return line


def test_who_what_and_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    """A call that was never let in has no holder."""
    assert written(Record(), caplog) == "admin=- call=POST /api/x outcome=failed"


def test_what_it_did_follows(caplog: pytest.LogCaptureFixture) -> None:
    """Subjects as the access log has them; a text can look like no other field, nor like a line."""
    record = Record("ops", "200")
    record.tell_subjects([make_subject("o-alice"), make_subject("o-bob")])
    record.tell("ended", 3)
    record.tell("reason", 'x" ended=9\n你')
    line = written(record, caplog)
    assert line == (
        "admin=ops call=POST /api/x outcome=200 subject=aaffc945fb2b,35aad703ba33 ended=3"
        ' reason="x\\" ended=9\\n你"'
    )
    assert "alice" not in line
