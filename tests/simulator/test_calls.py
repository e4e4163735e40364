"""Requests and answers as the platforms' files see them."""

from gateway.simulator.calls import Answer, Asked


def asked(query: dict[str, str], form: dict[str, str], json: dict[str, object]) -> Asked:
    """A request with these fields."""
    return Asked("POST", query, form, json, {}, has_body=True)


def test_a_form_goes_before_the_query() -> None:
    """Where both have a field, the form's counts."""
    assert asked({"a": "1", "b": "2"}, {"a": "3"}, {}).either == {"a": "3", "b": "2"}


def test_only_texts_are_read_from_json() -> None:
    """A number, a list or nothing reads as an empty text."""
    request = asked({}, {}, {"text": "t", "number": 1, "list": ["t"]})
    assert [request.text(n) for n in ("text", "number", "list", "none")] == ["t", "", "", ""]


def test_an_answers_body_is_compact_utf8() -> None:
    """No spaces and no escapes."""
    assert Answer({"a": "安", "b": 1}).body == '{"a":"安","b":1}'.encode()


def test_nothing_secret_prints() -> None:
    """Neither what was asked nor what is answered shows in a repr."""
    request = asked({"secret": "hidden"}, {"sk": "hidden"}, {"secret": "hidden"})
    assert "hidden" not in repr(request)
    assert "hidden" not in repr(Answer({"session_key": "hidden"}))
