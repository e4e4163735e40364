"""S8, S10, S11: one code, unknown apps, floods."""

import secrets
from collections.abc import Callable, Iterator

from tests.attack.asking import at_once, exchanges, log_in, tell
from tests.attack.model import Check, Entry, Proven
from tests.attack.rows.s_sessions import STAGE, differs, somebody
from tests.attack.rows.s_stages import FEW_PER_APP, FEW_PER_IP
from tests.attack.stage import Stage

# -- S8: one code ---------------------------------------------------------------------------------


def _fifty_at_once(stage: Stage) -> list[str]:
    body = {"app": "shop-wechat", "code": stage.code(user=somebody())["code"]}
    before = exchanges(stage)["wechat"]
    answers = at_once(stage, [body] * 50)
    amiss = [] if exchanges(stage)["wechat"] - before == 1 else ["the platform was called again"]
    statuses = sorted(each.status for each in answers)
    if statuses != [200] + [401] * 49:
        amiss.append(f"answered {statuses}")
    codes = {each.code for each in answers if each.status == 401}
    return amiss if codes == {"code_invalid"} else [*amiss, f"codes {codes}"]


def _one_after_another(stage: Stage) -> list[str]:
    code = stage.code(user=somebody())["code"]
    before = exchanges(stage)["wechat"]
    first = log_in(stage, code)
    amiss = [] if first.status == 200 else [f"the first login answered {first.status}"]
    for spelling in (code, f"{code} ", f" {code}", code):
        told = log_in(stage, spelling)
        amiss += [] if told.status in (400, 401) else [f"answered {told.status}"]
    alias = f"GET /api/v1/registers/wechat_program/wxattackshop?code={code}"
    amiss += differs(tell(stage, alias), 401, "code_invalid")
    called = exchanges(stage)["wechat"] - before
    # A code with a space is another code to us; the platform is asked about it once.
    return amiss if called <= 3 else [*amiss, f"{called} calls"]


def _at_two_doors(stage: Stage) -> list[str]:
    """By the app's name and by its platform's id, and with the same key: one exchange."""
    code = stage.code(user=somebody())["code"]
    before = exchanges(stage)["wechat"]
    names = ("shop-wechat", "wxattackshop") * 10
    answers = at_once(stage, [{"app": name, "code": code} for name in names])
    good = sum(each.status == 200 for each in answers)
    called = exchanges(stage)["wechat"] - before
    return [] if (good, called) == (1, 1) else [f"{good} sessions, {called} calls"]


# -- S10: apps ------------------------------------------------------------------------------------

_ODD_APPS = (
    *("../wxattackshop", "wxattackshop/", "wxattackshop/..", "./shop-wechat", "wxattackshop%00"),
    *("wxattackshop\r\nx", "wxattackshop\n", "wxattackshop\0", "wxattackshop ", " shop-wechat"),
    *("WXATTACKSHOP", "Shop-Wechat", "wxattackshop?x=1", "wxattackshop#", "wxattackshop&secret="),
    *("http://127.0.0.1/", "//evil", "@evil", "evil:80", "*", "%", "_", "%2e%2e", "${HOME}"),
    *("wxattackshop,ttattackshop", "' OR 1=1 --", '{"$gt":""}', "\uff57xattackshop", "w\u0131x"),
    *("wx" + "a" * 3000, "None", "null", "0", "__proto__", "constructor", "wx attackshop"),
)
_ODD_TYPES: tuple[object, ...] = (1, 1.5, True, ["shop-wechat"], {"name": "shop-wechat"})
_ODD_PATHS = (
    *("wechat_program/wxnobody", "alipay_program/wxattackshop", "douyin_program/wxattackshop"),
    *("wechat_program/..%2fwxattackshop", "wechat_program/wxattackshop%0d%0ax"),
    *("WECHAT_program/wxattackshop", "wechat%5fprogram/wx%00", "wechat_program/wxattackshop;x"),
    *("wechat_program/%77xattackshop%20", "wechat_program/http:%2f%2fevil", "_program/x"),
    *("wechat_program/wxattackshop/x", "wechat_program/", "wechat_program/shop-wechat%3fx"),
)


def _unknown_app(app: object) -> Callable[[Stage], list[str]]:
    def run(stage: Stage) -> list[str]:
        before = exchanges(stage)
        told = log_in(stage, secrets.token_hex(8), app)  # type: ignore[arg-type] # odd on purpose
        amiss = [] if told.status == 400 else [f"answered {told.status} {told.code}"]
        return amiss if exchanges(stage) == before else [*amiss, "a platform was called"]

    return run


def _unknown_path(path: str) -> Callable[[Stage], list[str]]:
    def run(stage: Stage) -> list[str]:
        before = exchanges(stage)
        told = tell(stage, f"GET /api/v1/registers/{path}?code={secrets.token_hex(8)}")
        # What is no alias path at all is a route's, and that one asks for a session.
        amiss = [] if told.status in (400, 401, 404) else [f"answered {told.status}"]
        return amiss if exchanges(stage) == before else [*amiss, "a platform was called"]

    return run


def _code_of_another_app(stage: Stage) -> list[str]:
    amiss: list[str] = []
    for person, app in (("A", "shop-douyin"), ("B", "shop-wechat")):
        code = stage.code("A" if person == "A" else "B", somebody())["code"]
        amiss += differs(log_in(stage, code, app), 401, "code_invalid")
        platform = "douyin" if person == "A" else "wechat"
        own = "shop-wechat" if person == "A" else "shop-douyin"
        told = log_in(stage, code, own, platform=platform)
        amiss += differs(told, 400, "app_unknown")
    return amiss


def _apps() -> Iterator[Entry]:
    for app in (*_ODD_APPS, *_ODD_TYPES):
        title = f"no call for the app {str(app)[:40]!r}"
        yield Check(row="S10", title=title, run=_unknown_app(app), stage=STAGE)
    for path in _ODD_PATHS:
        title = f"no call for the alias path {path}"
        yield Check(row="S10", title=title, run=_unknown_path(path), stage=STAGE)
    title = "a code of one app sent as another's; a platform that does not fit"
    yield Check(row="S10", title=title, run=_code_of_another_app, stage=STAGE)


# -- S11: floods ----------------------------------------------------------------------------------


def _flood(stage: Stage) -> list[str]:
    """Per app, then in total, then per address: each refuses before any call goes out."""
    before = sum(exchanges(stage).values())
    amiss = _many(stage, "shop-wechat", "127.0.0.2", FEW_PER_APP - 1, "this app")
    amiss += _many(stage, "shop-douyin", "127.0.0.3", 1, "all apps together")
    amiss += _many(stage, "shop-wechat", "127.0.0.2", FEW_PER_IP - FEW_PER_APP, "this address")
    called = sum(exchanges(stage).values()) - before
    return amiss if called == FEW_PER_APP else [*amiss, f"{called} calls went out"]


def _many(stage: Stage, app: str, source: str, count: int, whose: str) -> list[str]:
    """Log in until refused in these words; `count` logins at most may come before."""
    for _ in range(count + 1):
        body = {"app": app, "code": secrets.token_hex(8)}
        told = tell(stage, "POST /login", body=body, source=source)
        if told.status == 429 and whose in str(told.document["detail"]):
            waits = told.headers.get("retry-after", "")
            return [] if waits.isdigit() and 0 < int(waits) <= 60 else [f"Retry-After {waits}"]
    return [f"no login was too many for {whose}"]


def entries() -> Iterator[Entry]:
    """List these rows."""
    for title, run in (
        ("fifty at once", _fifty_at_once),
        ("one after another, however spelt", _one_after_another),
        ("by name and by id at once", _at_two_doors),
    ):
        yield Check(row="S8", title=title, run=run, stage=STAGE)
    yield Proven(
        row="S8",
        title="over two processes and both stores; a slow platform",
        tests=("tests/endpoints/test_login_stress.py",),
    )
    yield from _apps()
    yield Check(row="S11", title="distinct codes, in bounds", run=_flood, stage="login-flood")
    yield Proven(
        row="S11",
        title="whose an address is; counters are bounded",
        tests=(
            "tests/endpoints/test_limits.py",
            "tests/endpoints/test_memory_counters.py::test_memory_is_bounded",
        ),
    )
