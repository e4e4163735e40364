"""Reads what settings refer to: secrets in files and in the environment, and files to answer with.

Which settings are secrets or files the models say; here is only how one is read.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from gateway.loader.environment import is_encodable
from gateway.loader.files import decode, read_bounded
from gateway.loader.tree import Tree
from gateway.settings.findings import Finding, Loc, RefusedError, one_of, render
from gateway.settings.routes import MAX_CONTENT_BYTES, ReadFile
from gateway.settings.scalars import Reads
from gateway.settings.walk import Spot, find

MAX_SECRET_BYTES = 64 * 1024
MAX_TLS_FILE_BYTES = 1024**2  # a bundle of all public authorities has a quarter of that

_KINDS = ("file", "env")


class References:
    """Replaces references in a tree by what they refer to."""

    def __init__(self, tree: Tree, base: Path, environ: Mapping[str, str]) -> None:
        self._tree = tree
        self._base = base
        self._environ = environ
        self._told: set[str] = set()
        self.warnings: list[str] = []

    def resolve(self) -> None:
        """Read every reference; what cannot be read becomes a finding of the tree."""
        self._resolve(self._tree.raw, ())

    def _resolve(self, container: dict[str, object] | list[object], loc: Loc) -> None:
        for key, value in list(_items(container)):
            place = (*loc, key)
            try:
                new = self._read(find(place), place, value)
            except RefusedError as refusal:
                self._tree.findings.append(Finding(place, refusal.allowed, refusal.found))
                new = None
            if isinstance(new, dict | list):
                self._resolve(new, place)
            elif new is not value:
                container[key] = new  # type: ignore[index] # the key came from this container

    def _read(self, spot: Spot | None, loc: Loc, value: object) -> object:
        match spot.reads if spot else Reads.NOTHING, value:
            case Reads.SECRET, dict() as reference:
                return SecretStr(self._secret(loc, reference))
            case Reads.SECRET, str() as secret:
                self._warn_of_text(loc, secret)
            case Reads.CONTENT, str() as path:
                return self._content(path)
            case Reads.FILE, str() as path:
                read_bounded(self._base / path, MAX_TLS_FILE_BYTES)
            case Reads.PRIVATE_FILE, str() as path:
                file = read_bounded(self._base / path, MAX_TLS_FILE_BYTES)
                self._warn(loc, path, is_world_readable=file.is_world_readable)
        return value

    def _secret(self, loc: Loc, reference: dict[str, object]) -> str:
        for key in reference:
            if key not in _KINDS:
                # The key is not shown: `secret: {abc}` holds the secret as its key.
                raise RefusedError(one_of(_KINDS, key), "a reference with an unknown key")
        match reference:
            case {"file": str() as path} if len(reference) == 1 and path:
                return self._secret_file(loc, path)
            case {"env": str() as name} if len(reference) == 1 and name:
                return self._secret_variable(name)
        raise RefusedError("exactly one of file and env, with a text", "a reference")

    def _secret_file(self, loc: Loc, written: str) -> str:
        path = self._base / written
        file = read_bounded(path, MAX_SECRET_BYTES)
        secret = decode(path, file.content).rstrip("\r\n")
        if not secret:
            raise RefusedError("a file with a secret", f"{path}, which is empty")
        self._warn(loc, written, is_world_readable=file.is_world_readable)
        return secret

    def _secret_variable(self, name: str) -> str:
        secret = self._environ.get(name)
        if not secret:
            found = "which is not set" if secret is None else "which is empty"
            raise RefusedError(f"set the variable {name}", f"the variable {name}, {found}")
        if not is_encodable(secret):
            raise RefusedError("text in UTF-8", f"the variable {name}, which is not UTF-8")
        return secret

    def _content(self, written: str) -> ReadFile:
        path = self._base / written
        return ReadFile(path, read_bounded(path, MAX_CONTENT_BYTES).content)

    def _warn_of_text(self, loc: Loc, secret: str) -> None:
        """Warn once of a settings file that holds secrets; in development they protect nobody."""
        origin = self._tree.locate(loc)
        is_password_free = secret.startswith(("sqlite:", "redis")) and "@" not in secret
        if (
            self._tree.raw.get("environment", "production") == "production"
            and origin.file in self._tree.world_readable - self._told
            and origin.written is None  # what stands there is the name of a variable
            and not is_password_free  # a store's address
        ):
            self._told.add(origin.file)
            holds = f"{origin.file} holds a secret as text"
            self.warnings.append(
                f"{render(loc)}: {holds}, and everybody on this machine can read it"
            )

    def _warn(self, loc: Loc, path: str, *, is_world_readable: bool) -> None:
        if is_world_readable:
            self.warnings.append(f"{render(loc)}: everybody on this machine can read {path}")


def _items(
    container: dict[str, object] | list[object],
) -> Iterator[tuple[str | int, object]]:
    return iter(container.items()) if isinstance(container, dict) else enumerate(container)
