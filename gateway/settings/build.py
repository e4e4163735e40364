"""Makes the settings from what was written, or lists everything that is wrong with it.

Pure. It reads no file: secrets and files come in already read (`gateway.loader`).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from gateway.errors import SettingsError
from gateway.settings.explain import explain, show
from gateway.settings.findings import Finding, Loc, Locate, nowhere
from gateway.settings.keys import check_production_keys
from gateway.settings.model import Settings
from gateway.settings.route_rules import check_routes
from gateway.settings.rules import check_parts
from gateway.settings.unbuilt import find_unbuilt
from gateway.settings.walk import Raw, section


def build(
    raw: Raw, *, base: Path = Path(), locate: Locate = nowhere, already: Iterable[Finding] = ()
) -> Settings:
    """Make the settings; relative paths count from `base`.

    `already` are problems found while reading; what follows from them is not told again.
    Raises: SettingsError with all problems, in the order of the file.
    """
    raw = _with_log_format(raw)
    told = [*already, *find_unbuilt(raw, base)]
    settings: Settings | None = None
    new: list[Finding] = []
    try:
        settings = Settings.model_validate(raw, context={"base": base})
    except ValidationError as error:
        new.extend(explain(error))
    new.extend(check_parts(raw, base))
    new.extend(check_routes(raw))
    new.extend(check_production_keys(raw))
    findings = [*told, *_not_told(new, {finding.loc for finding in told if finding.hides})]
    if findings or settings is None:
        raise report(findings, raw, locate)
    return settings


def report(findings: Iterable[Finding], raw: Raw, locate: Locate) -> SettingsError:
    """Put findings in the order of the file and into words."""
    problems = [finding.problem(locate, show(raw, finding.loc, locate)) for finding in findings]
    unique = list(dict.fromkeys(problems))
    return SettingsError(sorted(unique, key=lambda one: (one.file or "", one.line or 0)))


def _with_log_format(raw: Raw) -> Raw:
    """Fill in the one default that depends on the environment (design section 3)."""
    logs = section(raw, "logs")
    if raw.get("environment") != "development" or "format" in logs or raw.get("logs", {}) != logs:
        return raw
    return {**raw, "logs": {**logs, "format": "text"}}


def _not_told(findings: Iterable[Finding], told: set[Loc]) -> Iterator[Finding]:
    """Leave out what stands at or below a place that has its problem already."""
    for finding in findings:
        above = (finding.loc[:length] for length in range(1, len(finding.loc) + 1))
        if not told.intersection(above):
            yield finding
