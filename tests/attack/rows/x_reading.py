"""Settings read as start-up reads them: what is said of a text, and for which one reason.

It must not know which texts are hostile.
"""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.errors import SettingsError
from gateway.loader import load
from tests.attack.stage import Stage

SIGNING = "kq3v9TzBw7Ym2Xc8Rn5Lf1Hs6Jd4Gp0A"
SEALING = "SBaPqZy34BTnfb9K95/FsqUMqsjoIIg+pzJviLxxOsk="
"""Made up at random: nothing about them is guessable, so production takes them."""
_APP = "{platform: wechat, app_id: wxattack, secret: a-secret-of-nobody}"
TARGET = "http://10.0.0.1:9000"
GOOD = f"""
environment: development
session:
  signing_keys: [{SIGNING}]
  encryption_keys: [{SEALING}]
apps: {{shop: {_APP}}}
upstreams: {{main: {{targets: [{TARGET}]}}}}
routes: [{{path: /a/, upstream: main}}]
"""
PRODUCTION = GOOD.replace("environment: development", "environment: production")


def said(text: str | bytes, environ: Mapping[str, str]) -> tuple[str, bool]:
    """Load settings in a folder of their own: what is said of them, and whether they are taken."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        try:
            loaded = load(path, environ)
        except SettingsError as error:
            return str(error), False
        return "\n".join(loaded.warnings), True


def taken(text: str, environ: Mapping[str, str] | None = None) -> Callable[[Stage], list[str]]:
    """The settings are taken, without a warning: what a refusal is to be compared with."""

    def run(_stage: Stage) -> list[str]:
        words, is_taken = said(text, environ or {})
        return [] if is_taken and not words else [f"they are refused, or warned of: {words}"]

    return run


def refused(text: str | bytes, place: str, found: str) -> Callable[[Stage], list[str]]:
    """One thing is amiss, at this place, and it is this one."""

    def run(_stage: Stage) -> list[str]:
        words, is_taken = said(text, {})
        if is_taken:
            return ["it is taken"]
        lines = words.splitlines()
        if len(lines) != 1:
            return [f"{len(lines)} reasons are given"]
        is_it = f": {place}: " in lines[0] and found in lines[0].partition("; allowed")[0]
        return [] if is_it else [f"another reason is given: {lines[0]}"]

    return run


def warned(text: str, place: str, about: str) -> Callable[[Stage], list[str]]:
    """The settings are taken, and one warning names this place and says this."""

    def run(_stage: Stage) -> list[str]:
        words, is_taken = said(text, {})
        if not is_taken:
            return [f"it is refused: {words}"]
        is_it = any(place in line and about in line for line in words.splitlines())
        return [] if is_it else ["there is no such warning"]

    return run
