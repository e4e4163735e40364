"""One file per app: reads the folder `apps_dir` names into the settings' `apps`."""

from collections.abc import Mapping
from pathlib import Path

from gateway.loader.files import decode, read_bounded
from gateway.loader.tree import Reader, Tree, TreeError
from gateway.settings.findings import Finding, Origin, RefusedError, quote

MAX_APP_FILE_BYTES = 64 * 1024
_SUFFIXES = (".yaml", ".yml")


def merge_apps(tree: Tree, base: Path, environ: Mapping[str, str]) -> None:
    """Add the apps of the folder; the file's name is the app's. Other files are left alone."""
    written, apps = tree.raw.get("apps_dir"), tree.raw.get("apps", {})
    if not isinstance(written, str) or not isinstance(apps, dict):
        return
    try:
        paths = sorted((base / written).iterdir())
    except (OSError, ValueError):
        finding = Finding(("apps_dir",), "a folder that this process can read")
        tree.findings.append(finding)
        return
    tree.raw["apps"] = apps
    for path in paths:
        if path.suffix in _SUFFIXES and not path.name.startswith("."):
            _merge_app(tree, apps, path, environ)


def _merge_app(tree: Tree, apps: dict[str, object], path: Path, environ: Mapping[str, str]) -> None:
    name, file = path.stem, str(path)
    loc = ("apps", name)
    if name in apps:
        found = f"the app {quote(name)} again"
        origin = Origin(file, 1)
        tree.findings.append(Finding(loc, "each app once", found, origin, hides=False))
        return
    apps[name] = None
    try:
        read = read_bounded(path, MAX_APP_FILE_BYTES)
        tree.note_mode(file, read)
        apps[name] = Reader(tree, file, environ).read(decode(path, read.content), loc)
    except RefusedError as refusal:
        tree.findings.append(Finding(loc, refusal.allowed, refusal.found, Origin(file)))
    except TreeError as error:
        origin = Origin(file, error.line)
        tree.findings.append(Finding(loc, error.allowed, error.found, origin))
