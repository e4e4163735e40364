"""Reads the settings file, in order: YAML, environment, app files, secrets, checks, keys.

All reading happens here and below; what the settings mean stands in `gateway.settings`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import Problem, SettingsError
from gateway.loader.apps_dir import merge_apps
from gateway.loader.development_keys import load_or_make
from gateway.loader.files import decode, read_bounded
from gateway.loader.references import References
from gateway.loader.store_file import advise_store_file
from gateway.loader.tls_files import check_tls_files
from gateway.loader.tree import Reader, Tree, TreeError
from gateway.settings import Settings, advise, build
from gateway.settings.findings import Finding, RefusedError, describe

MAX_FILE_BYTES = 1024**2
KEYS_PATH = Path("data/keys.json")
"""Where development keys are kept, from the folder of the settings file."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings that may be used, and what an operator should look at twice."""

    settings: Settings
    warnings: tuple[str, ...]


def load(path: Path, environ: Mapping[str, str]) -> Loaded:
    """Load the settings from a YAML file; `${NAME}` and `{env: NAME}` read `environ`.

    In development, keys that are missing are made and kept in `data/keys.json` beside the file,
    but only when nothing is wrong with the settings.
    Raises: SettingsError with all problems at once.
    """
    base = path.parent.absolute()
    tree = _read(path, environ)
    merge_apps(tree, base, environ)
    references = References(tree, base, environ)
    references.resolve()
    tree.findings.extend(check_tls_files(tree.raw, base))
    settings = build(tree.raw, base=base, locate=tree.locate, already=tree.findings)
    settings = _with_development_keys(settings, base, tree)
    warnings = (*references.warnings, *_advise_files(settings, tree), *advise(settings))
    return Loaded(settings, (*warnings, *_advise_store(settings)))


def _advise_files(settings: Settings, tree: Tree) -> Iterator[str]:
    if settings.environment == "production":
        for path in tree.world_writable:
            yield f"{path}: everybody on this machine can change the settings in it"


def _advise_store(settings: Settings) -> Iterator[str]:
    path = settings.session.store.path
    return iter(()) if path is None else advise_store_file(path)


def _read(path: Path, environ: Mapping[str, str]) -> Tree:
    tree = Tree()
    try:
        file = read_bounded(path, MAX_FILE_BYTES)
        tree.note_mode(str(path), file)
        top = Reader(tree, str(path), environ).read(decode(path, file.content))
    except RefusedError as refusal:
        raise _failed(path, refusal.found or "", refusal.allowed) from None
    except TreeError as error:
        raise _failed(path, error.found, error.allowed, error.line) from None
    if top is not None and not isinstance(top, dict):
        origin = tree.locate(())
        found = describe(top, written=origin.written)
        raise _failed(path, found, "a mapping of settings", origin.line)
    tree.raw = top or {}
    return tree


def _failed(path: Path, found: str, allowed: str, line: int | None = None) -> SettingsError:
    return SettingsError([Problem("", line, found, allowed, str(path))])


def _with_development_keys(settings: Settings, base: Path, tree: Tree) -> Settings:
    session = settings.session
    missing = list(_missing_keys(settings))
    if settings.environment != "development" or not missing:
        return settings
    try:
        keys = load_or_make(base / KEYS_PATH)
    except RefusedError as refusal:
        finding = Finding(("session", missing[0]), refusal.allowed, refusal.found)
        raise SettingsError([finding.problem(tree.locate, "")]) from None
    update = {name: getattr(keys, name) for name in missing}
    return settings.model_copy(update={"session": session.model_copy(update=update)})


def _missing_keys(settings: Settings) -> Iterator[str]:
    if not settings.session.signing_keys:
        yield "signing_keys"
    if not settings.session.encryption_keys:
        yield "encryption_keys"
