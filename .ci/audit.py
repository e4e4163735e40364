"""What `make audit` does: ruff's security rules, their exceptions, known flaws in what is pinned.

Without a way to the database of advisories that part is skipped, by name; it fails nothing then.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-build.lock")
CODE = ("gateway", "bench", "tests", ".ci")
AUDIT_S = 120
_EXCEPTION = re.compile(r"# noqa: ([A-Z0-9, ]*\bS[0-9]{3}\b[A-Z0-9, ]*)(?P<reason>.*)$")


def main() -> int:
    """Run all parts and print what they found; 1 where one failed."""
    parts = (audit_rules(), audit_exceptions(), *(audit_lock(each) for each in LOCKS))
    return max(parts)


def say(line: str) -> None:
    """Print a line."""
    print(line, flush=True)  # noqa: T201 - its purpose


def audit_rules() -> int:
    """Run ruff's security rules (flake8-bandit) over everything that is ours."""
    done = run("ruff", "check", "--quiet", "--select", "S", *CODE)
    say("ruff's security rules: nothing found" if done.returncode == 0 else done.stdout)
    return min(done.returncode, 1)


def audit_exceptions() -> int:
    """List the lines of the gateway that are excepted from a rule; each says why."""
    bare = 0
    for place, rule, reason in exceptions():
        say(f"  {place}: {rule}: {reason or 'WITHOUT A REASON'}")
        bare += not reason
    return 1 if bare else 0


def exceptions() -> Iterator[tuple[str, str, str]]:
    """Find them: file and line, rule, reason."""
    for path in sorted((TOP / "gateway").rglob("*.py")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if (found := _EXCEPTION.search(line)) is not None:
                reason = found["reason"].strip(" -")
                yield f"{path.relative_to(TOP)}:{number}", found[1].strip(), reason


def audit_lock(name: str) -> int:
    """Ask for known flaws of all that a lock file pins."""
    options = ("--require-hashes", "--disable-pip", "--progress-spinner", "off", "--format", "json")
    try:
        done = run("pip-audit", *options, "--requirement", name)
        found = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):
        say(f"{name}: SKIPPED: the database of advisories cannot be reached from here")
        return 0
    asked = [each for each in found if "vulns" in each]
    flawed = [each for each in asked if each["vulns"]]
    for each in flawed:
        ids = ", ".join(one["id"] for one in each["vulns"])
        say(f"{name}: {each['name']} {each['version']}: {ids}")
    if len(asked) < len(found):
        left = len(found) - len(asked)
        say(f"{name}: SKIPPED: {left} of {len(found)} packages: the database does not answer")
    say(f"{name}: {len(asked)} packages looked up, {len(flawed)} with known flaws")
    return 1 if flawed else 0


def run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment."""
    command = [str(Path(sys.executable).with_name(program)), *words]
    return subprocess.run(  # noqa: S603 - our own words
        command, cwd=TOP, capture_output=True, text=True, timeout=AUDIT_S, check=False
    )


if __name__ == "__main__":
    sys.exit(main())
