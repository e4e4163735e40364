"""Which paths the settings may name: the one spelling that requests are matched in.

Pure. Requests are matched on a copy in which percent-encoded unreserved characters are decoded and
hex digits upper-cased (RFC 3986, 6.2.2), so a path here in another spelling would never match.
"""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from gateway.settings.findings import RefusedError
from gateway.settings.scalars import Parsed, text
from gateway.target import canonical

# RFC 3986, 3.3: what stands in a path as it is, without `;`, which servers read differently.
_LITERAL = "A-Za-z0-9._~!$&'()*+,=:@/-"
_PATH = re.compile(f"(?:[{_LITERAL}]|%[0-9A-F]{{2}})*")
_PLACE = re.compile(r"\{([^{}]*)\}")
PLACES = ("platform", "app_id")
"""What a login path may hold in braces."""


def check_path(value: object) -> str:
    """Take an unambiguous path in its one spelling. Raises: RefusedError."""
    path = text(value, "a path that begins with /")
    if not path.startswith("/"):
        raise RefusedError("a path that begins with /")
    _refuse_ambiguous(canonical(path))
    if not path.isascii():
        raise RefusedError(f"the percent-encoded spelling {quote(path, safe='/%:@!$&()*+,=~')!r}")
    if path != canonical(path):
        raise RefusedError(f"the canonical spelling {canonical(path)!r}")
    if not _PATH.fullmatch(path):
        raise RefusedError(
            "letters, digits, -._~!$&'()*+,=:@/ and percent signs with two hex digits"
        )
    return path


def _refuse_ambiguous(path: str) -> None:
    """Refuse what two servers may read differently, in any encoding. Raises: RefusedError."""
    if "//" in path:
        raise RefusedError("a path without empty segments (//)")
    if any(segment in (".", "..") for segment in path.split("/")):
        raise RefusedError("a path without . and .. segments")
    if ";" in path:
        raise RefusedError("a path without ;")
    if "%2F" in path or "%5C" in path or "\\" in path:
        raise RefusedError("a path without \\, %2F and %5C")
    if re.search("%[01]|%7F", path):
        raise RefusedError("a path without control characters")


def check_prefix(value: object) -> str:
    """Take a prefix to cut: a path without a slash at its end. Raises: RefusedError."""
    path = check_path(value)
    if path.endswith("/"):
        raise RefusedError("a path without a slash at its end, such as /api")
    return path


def check_login_path(value: object) -> str:
    """Take a path that may hold `{platform}` and `{app_id}`, once each. Raises: RefusedError."""
    path = text(value, "a path that begins with /")
    places = _PLACE.findall(path)
    if len(set(places)) != len(places) or not set(places) <= set(PLACES):
        raise RefusedError("a path with {platform} and {app_id}, each at most once")
    check_path(_PLACE.sub("x", path))
    return path


def login_pattern(path: str, choices: Mapping[str, str]) -> re.Pattern[str]:
    """Make the pattern of a login path; `choices` gives the pattern of each place in braces."""
    parts = _PLACE.split(path)  # literal, name, literal, name, …, literal
    pattern = "".join(
        f"(?P<{part}>{choices[part]})" if index % 2 else re.escape(part)
        for index, part in enumerate(parts)
    )
    return re.compile(pattern)


_SCHEMA = {"type": "string", "pattern": "^/"}

UrlPath = Annotated[str, Parsed(check_path, _SCHEMA)]
UrlPrefix = Annotated[str, Parsed(check_prefix, {"type": "string", "pattern": "^/.*[^/]$"})]
LoginPath = Annotated[str, Parsed(check_login_path, _SCHEMA)]
