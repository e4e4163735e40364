"""The settings as JSON Schema, for editors: `python -m gateway.settings.schema` prints it.

Pure but for the printing. The schema says what shape a value has; the rules that concern several
settings are told by `gateway check`.
"""

import json
import sys
from collections.abc import Mapping

from gateway.settings.model import Settings

ADDRESS = "https://json-schema.org/draft/2020-12/schema"
_FROM_ENVIRONMENT = {"type": "string", "pattern": r"\$\{"}
_SCALARS = ("integer", "number", "boolean")


def schema() -> dict[str, object]:
    """Make the schema of `gateway.yaml`; every scalar may also read the environment, `${NAME}`."""
    made = Settings.model_json_schema()
    opened = _open(made)
    if not isinstance(opened, dict):
        raise TypeError("the schema of a model is a mapping")
    return {"$schema": ADDRESS, **opened, "title": "gateway.yaml"}


def _open(node: object) -> object:
    """Let each scalar be `${NAME}` too, and drop the titles pydantic makes from names."""
    if isinstance(node, list):
        return [_open(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    if _is_closed_scalar(node):
        notes = {key: node[key] for key in ("description", "default") if key in node}
        rest = {key: node[key] for key in node if key not in ("title", *notes)}
        return {**notes, "anyOf": [rest, _FROM_ENVIRONMENT]}
    opened = {
        key: _open_keyword(key, value) for key, value in node.items() if not _is_title(key, value)
    }
    # A mapping of names takes no other names; pydantic leaves that open.
    return {**opened, "additionalProperties": False} if "patternProperties" in node else opened


def _open_keyword(key: str, value: object) -> object:
    """Go on below a keyword; what is data, and not a schema, stays as it is."""
    if key in ("properties", "$defs") and isinstance(value, dict):
        return {name: _open(entry) for name, entry in value.items()}
    return value if key in ("default", "required", "enum", "propertyNames") else _open(value)


def _is_title(key: str, value: object) -> bool:
    return key == "title" and isinstance(value, str)


def _is_closed_scalar(node: Mapping[str, object]) -> bool:
    is_pattern = node.get("type") == "string" and "pattern" in node
    return node.get("type") in _SCALARS or is_pattern or "enum" in node or "const" in node


def render() -> str:
    """Write the schema as it stands in `docs/gateway.schema.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
