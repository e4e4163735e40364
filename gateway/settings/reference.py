"""The settings as a page for people: `python -m gateway.settings.reference` prints it.

Pure but for the printing. It says what the models say (names, defaults, the notes beside them), so
that `docs/settings.md` cannot fall behind; the rules between settings are told by `gateway check`.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.settings.findings import Loc
from gateway.settings.schema import schema
from gateway.settings.unbuilt import UNBUILT

# What `unbuilt` refuses only in part.
_KEPT_IN_PART: frozenset[Loc] = frozenset({("session", "store")})

_INTRODUCTION = """\
# Settings

Every setting of `gateway.yaml`, with its default. This page is written by
`python -m gateway.settings.reference`; a test holds the two together.

- Durations: `500ms` `10s` `5m` `12h` `30d`. Sizes: `512B` `16KiB` `100MiB` `1GiB`. Rates: `600/1m`.
- `${NAME}` and `${NAME:-default}` read the environment, in any scalar. `$${` writes a plain `${`.
- A secret is a text, `{env: NAME}` or `{file: path}`. Relative paths count from the settings file.
- Unknown and repeated keys are refused. `gateway check` lists all problems at once, with lines.
- `<name>` stands for a name of your choice, `[]` for each entry of a list.
- `docs/gateway.schema.json` tells the same to editors.
"""

_LATER = """\
## Not yet

These names are fixed for later versions; leave them out today. `gateway check` refuses values that
this version would not keep.
"""

# What stands beside no attribute in the models, because code and name say it all.
WORDS: Mapping[str, str] = {
    "admin.tokens[].scopes": "`read` lists sessions, `revoke` ends them; others: nothing yet.",
    "endpoints.logout": "Ends the session; with `?everywhere=true` all of this subject.",
    "endpoints.session": "Tells a client about its session; /renew and /ticket stand below it.",
    "endpoints.decrypt": "Opens encrypted user data.",
    "endpoints.jwks": "The public keys of assertions.",
    "session.cookie.name": "The cookie's name.",
    "login.callback.url": "Where logins are told.",
    "login.callback.secret": "Signs what is told.",
    "login.callback.timeout": "How long it may take.",
    "decrypt.per_session": "How often one session may ask.",
    "identity.issuer": "The `iss` of assertions.",
    "apps.<name>.platform": "Whose app this is.",
    "apps.<name>.kind": "What sort of app this is.",
    "upstreams.<name>.balance": "How a target is chosen.",
    "upstreams.<name>.health_check.path": "What is asked.",
    "upstreams.<name>.health_check.interval": "How often.",
    "upstreams.<name>.retries": "How often a request is sent again, where that is safe.",
    "routes[].respond.status": "The status of the answer.",
    "routes[].respond.content_type": "Its content type.",
    "routes[].rate_limit.requests": "How many calls are taken.",
    "routes[].rate_limit.per": "In how long.",
    "routes[].rate_limit.by": "Whose calls are counted together.",
    "routes[].limits.body": "Replaces `server.limits.body`.",
    "routes[].timeouts.first_byte": "Replaces the upstream's.",
    "routes[].timeouts.idle": "Replaces the upstream's.",
    "routes[].timeouts.stream_idle": "Replaces the upstream's.",
    "logs.level": "Of the gateway's own log, on stderr.",
}

_Node = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Row:
    """One setting: its place, how that is written, its default (None: required), its meaning."""

    loc: Loc
    path: str
    default: str | None
    meaning: str

    @property
    def is_built(self) -> bool:
        """Whether this version does what the setting says."""
        later = UNBUILT.keys() - _KEPT_IN_PART
        return not any(self.loc[:length] in later for length in range(1, len(self.loc) + 1))


def rows() -> Iterator[Row]:
    """List all settings in the order of the models; mappings are told by what is in them."""
    made = schema()
    definitions = made["$defs"]
    if not isinstance(definitions, dict):
        raise TypeError("the schema's definitions are a mapping")
    yield from _rows(made, (), "", definitions)


def _rows(part: _Node, loc: Loc, path: str, definitions: _Node) -> Iterator[Row]:
    properties, required = part.get("properties"), part.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        return
    for name, node in properties.items():
        place, written = (*loc, name), f"{path}.{name}".lstrip(".")
        below, step, mark = _below(node, definitions)
        if below is None or node.get("default", ...) is None:
            default = None if name in required else _default(node)
            yield Row(place, written, default, _meaning(written, node, below))
        if below is not None:
            yield from _rows(below, (*place, *step), written + mark, definitions)


def _below(node: _Node, definitions: _Node) -> tuple[_Node | None, Loc, str]:
    """Find the part a setting holds, and how its entries are named: by nothing, name or place."""
    match node:
        case {"$ref": str() as address}:
            part = definitions[address.rpartition("/")[2]]
            return (part if isinstance(part, dict) else None), (), ""
        case {"patternProperties": dict() as names}:
            return _below(next(iter(names.values())), definitions)[0], ("*",), ".<name>"
        case {"items": dict() as item}:
            return _below(item, definitions)[0], ("*",), "[]"
        case {"anyOf": list() as members}:
            found = (_below(member, definitions) for member in members)
            return next((one for one in found if one[0] is not None), (None, (), ""))
    return None, (), ""


def _default(node: _Node) -> str:
    return f"`{json.dumps(node.get('default'), ensure_ascii=False)}`".replace('"', "")


def _meaning(path: str, node: _Node, below: _Node | None) -> str:
    note = node.get("description") or WORDS.get(path) or (below or {}).get("description") or ""
    text = " ".join(str(note).split())
    choices = list(_choices(node))
    if all(choice in text for choice in choices):
        return text
    word = "Any" if '"items"' in json.dumps(node) else "One"
    return f"{text} {word} of {', '.join(f'`{choice}`' for choice in choices)}."


def _choices(node: _Node) -> Iterator[str]:
    """List the words a setting may be; switches speak for themselves."""
    listed = node.get("enum")
    if isinstance(listed, list) and "on" not in listed:
        yield from map(str, listed)
    members = node.get("anyOf")
    for member in members if isinstance(members, list) else ():
        yield from _choices(member)
    items = node.get("items")
    if isinstance(items, dict):
        yield from _choices(items)


def render() -> str:
    """Write the page as it stands in `docs/settings.md`."""
    listed = list(rows())
    sections: dict[str, list[Row]] = {}
    for row in listed:
        if row.is_built:
            sections.setdefault(str(row.loc[0]), []).append(row)
    pages = [f"## {name}\n\n{_table(part)}" for name, part in sections.items()]
    later = _table([row for row in listed if not row.is_built])
    return "\n".join([_INTRODUCTION, *pages, f"{_LATER}\n{later}"])


def _table(listed: list[Row]) -> str:
    lines = ["| setting | default | meaning |", "| --- | --- | --- |"]
    lines += [f"| `{row.path}` | {row.default or 'required'} | {row.meaning} |" for row in listed]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
