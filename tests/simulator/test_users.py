"""Who logged in, and with which keys."""

from gateway.simulator.users import SESSION_KEYS_KEPT, Users


def test_keys_are_kept_newest_first() -> None:
    """Old keys are remembered, a few of them."""
    users = Users(10)
    keys = [users.login("wechat", "wx1", "ann").session_keys[0] for _ in range(12)]
    person = users.login("wechat", "wx1", "ann")
    assert person.session_keys[1:] == tuple(reversed(keys))[: SESSION_KEYS_KEPT - 1]
    assert users.find("wechat", "wx1", person.openid) == person


def test_the_oldest_user_is_dropped() -> None:
    """With room for one, a second pushes the first out."""
    users = Users(1)
    ann = users.login("wechat", "wx1", "ann")
    users.login("wechat", "wx1", "bob")
    assert users.find("wechat", "wx1", ann.openid) is None


def test_keys_do_not_print() -> None:
    """A repr shows no session_key."""
    person = Users(1).login("wechat", "wx1", "ann")
    assert person.session_keys[0] not in repr(person)
