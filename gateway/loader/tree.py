"""YAML as plain data, with the line of every value.

It reads YAML's core schema and nothing more: no tags, no merge keys, no duplicate keys, and a bound
on everything (attacks.md X3). It does not know what any setting means.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from gateway.loader.environment import expand, is_encodable
from gateway.loader.files import FileContent
from gateway.settings.findings import Finding, Loc, Origin, RefusedError, quote
from gateway.settings.scalars import Expanded, resolve

MAX_VALUES = 100_000  # after aliases are followed: a bomb of ten lines stops here
MAX_DEPTH = 32  # the settings need seven

_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")

_VALID = "valid YAML in UTF-8; within [ ] and { } a ${NAME} stands in quotes"
_SPACES = "spaces: indent with them, and write one after a colon"
_PLAIN = "plain"
_TEXT = "tag:yaml.org,2002:str"
_LIST = "tag:yaml.org,2002:seq"
_MAPPING = "tag:yaml.org,2002:map"
_TYPES: Mapping[str, tuple[type, ...]] = {
    "tag:yaml.org,2002:int": (int,),
    "tag:yaml.org,2002:float": (int, float),
    "tag:yaml.org,2002:bool": (bool,),
    "tag:yaml.org,2002:null": (type(None),),
}


class TreeError(Exception):
    """The file as a whole cannot be read. `line` is None where no line is to blame."""

    def __init__(self, found: str, allowed: str, line: int | None = None) -> None:
        super().__init__(found)
        self.found = found
        self.allowed = allowed
        self.line = line


@dataclass(slots=True)
class Tree:
    """What was read: data, where each value was written, and what could not be read."""

    raw: dict[str, object] = field(default_factory=dict)
    origins: dict[Loc, Origin] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    world_readable: set[str] = field(default_factory=set)
    """The files that everybody on the machine can read."""
    world_writable: list[str] = field(default_factory=list)
    """Those that everybody can change."""

    def note_mode(self, path: str, file: FileContent) -> None:
        """Note who else can read or change a settings file."""
        if file.is_world_readable:
            self.world_readable.add(path)
        if file.is_world_writable:
            self.world_writable.append(path)

    def locate(self, loc: Loc) -> Origin:
        """Find where a place was written, or the nearest place above it."""
        if loc in self.origins:
            return self.origins[loc]
        for length in range(len(loc) - 1, -1, -1):
            if above := self.origins.get(loc[:length]):
                return Origin(above.file, above.line)
        return Origin()


class _Composer(yaml.SafeLoader):
    """Composes nodes; a plain scalar is marked as such, so that quoted text stays text."""

    depth = 0

    def resolve(self, kind: type[yaml.Node], _value: str | None, implicit: object) -> str:
        if issubclass(kind, yaml.ScalarNode):
            return _PLAIN if isinstance(implicit, tuple) and implicit[0] else _TEXT
        return _LIST if issubclass(kind, yaml.SequenceNode) else _MAPPING

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TreeError("values nested too deeply", f"at most {MAX_DEPTH} levels")
        try:
            node: yaml.Node | None = super().compose_node(parent, index)  # type: ignore[arg-type] # the stub knows no index of a mapping
        finally:
            self.depth -= 1
        return node


def compose(text: str) -> yaml.Node | None:
    """Parse one YAML document. Raises: TreeError."""
    try:
        composer = _Composer(text)
        try:
            return composer.get_single_node()
        finally:
            composer.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        # The one character that looks like another, and the commonest mistake of all.
        if mark and text[mark.index : mark.index + 1] == "\t":
            raise TreeError("a tab", _SPACES, line) from None
        raise TreeError(_words(error.problem), _VALID, line) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # The last two are what PyYAML lets escape for "\UFFFFFFFF" and the like.
        raise TreeError("a character YAML does not allow", _VALID) from None


def _words(problem: str | None) -> str:
    """Keep the parser's own words: what it quotes may be a secret that begins with * or &."""

    def hide(match: re.Match[str]) -> str:
        quoted = match[1] or match[2] or ""
        return match[0] if len(quoted) == 1 or quoted.startswith("<") else "…"

    words = _QUOTED.sub(hide, problem or "no reason given").removeprefix("but ")
    # The report says "found" itself.
    return words.removeprefix("found ") if words.startswith("found ") else f"broken YAML: {words}"


def _tag(node: yaml.Node) -> str:
    """Name a tag of YAML's own; another may be a secret that begins with an exclamation mark."""
    is_standard = node.tag.startswith("tag:yaml.org,2002:")
    return f"the tag {quote(node.tag)}" if is_standard else "a tag"


class Reader:
    """Turns the nodes of one file into data, collecting what cannot be read."""

    def __init__(self, tree: Tree, file: str, environ: Mapping[str, str]) -> None:
        self._tree = tree
        self._file = file
        self._environ = environ
        self._left = MAX_VALUES

    def read(self, text: str, loc: Loc = ()) -> object:
        """Read a file's text as the value at a place. Raises: TreeError."""
        node = compose(text)
        self._tree.origins[loc] = Origin(self._file, node.start_mark.line + 1 if node else 1)
        return self._convert(node, loc) if node else None

    def _convert(self, node: yaml.Node, loc: Loc, depth: int = 0) -> object:
        self._left -= 1
        if self._left < 0:
            raise TreeError("too many values", f"at most {MAX_VALUES} values, aliases followed")
        if depth > MAX_DEPTH:
            raise TreeError("values nested too deeply", f"at most {MAX_DEPTH} levels")
        if isinstance(node, yaml.MappingNode) and node.tag == _MAPPING:
            return dict(self._entries(node, loc, depth))
        if isinstance(node, yaml.SequenceNode) and node.tag == _LIST:
            return [
                self._place(item, item, (*loc, index), depth)
                for index, item in enumerate(node.value)
            ]
        if isinstance(node, yaml.ScalarNode) and node.tag in (_PLAIN, _TEXT, *_TYPES):
            return self._scalar(node, loc)
        self._refuse(loc, node, _tag(node), "plain YAML without tags")
        return None

    def _entries(
        self, node: yaml.MappingNode, loc: Loc, depth: int
    ) -> Iterator[tuple[str, object]]:
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag not in (_PLAIN, _TEXT):
                self._refuse(loc, key_node, "a key that is not text", "keys that are text")
                continue
            key = key_node.value
            if key == "<<" and key_node.tag == _PLAIN:
                allowed = "an alias for a whole value; merge keys are not taken"
                self._refuse((*loc, key), key_node, "a merge key", allowed)
            elif not is_encodable(key):
                self._refuse(loc, key_node, "a key with a lone surrogate", "text in UTF-8")
            elif key in first:
                found = f"the key {quote(key)} again (first on line {first[key]})"
                self._refuse((*loc, key), key_node, found, "each key once", hides=False)
            else:
                first[key] = line
                yield key, self._place(key_node, value_node, (*loc, key), depth)

    def _place(self, start: yaml.Node, node: yaml.Node, loc: Loc, depth: int) -> object:
        """Convert a value and note its line; a mapping or list stands where its key stands."""
        marked = node if isinstance(node, yaml.ScalarNode) else start
        self._tree.origins[loc] = Origin(self._file, marked.start_mark.line + 1)
        return self._convert(node, loc, depth + 1)

    def _scalar(self, node: yaml.ScalarNode, loc: Loc) -> object:
        try:
            expansion = expand(node.value, self._environ)
        except RefusedError as refusal:
            self._refuse(loc, node, refusal.found or "", refusal.allowed)
            return None
        text = expansion.text
        if expansion.is_from_environment:
            line = node.start_mark.line + 1
            self._tree.origins[loc] = Origin(self._file, line, node.value)
        if not is_encodable(text):
            self._refuse(loc, node, "a lone surrogate", "text in UTF-8")
            return None
        if node.tag == _TEXT:
            return text
        value = resolve(text)
        if node.tag in _TYPES and not isinstance(value, _TYPES[node.tag]):
            self._refuse(loc, node, _tag(node), "a value that fits its tag, or no tag")
            return None
        is_number = isinstance(value, int | float)  # truth values are ints to Python
        return Expanded(text) if expansion.is_changed and is_number else value

    def _refuse(
        self, loc: Loc, node: yaml.Node, found: str, allowed: str, *, hides: bool = True
    ) -> None:
        """Note what cannot be read; None takes its place."""
        origin = Origin(self._file, node.start_mark.line + 1)
        self._tree.findings.append(Finding(loc, allowed, found, origin, hides))
