"""What every part of the settings is."""

import pytest
from pydantic import ValidationError

from gateway.settings.server import LogsSettings


def test_a_part_is_frozen() -> None:
    """Settings are read by many and changed by nobody."""
    logs = LogsSettings()
    with pytest.raises(ValidationError):
        logs.level = "debug"  # type: ignore[misc] # the type checker refuses it too


def test_a_part_is_quiet_about_its_input() -> None:
    """What was refused may be a secret in the wrong place."""
    with pytest.raises(ValidationError) as caught:
        LogsSettings.model_validate({"level": "hunter2", "hunter3": 1})
    assert "hunter2" not in str(caught.value)
