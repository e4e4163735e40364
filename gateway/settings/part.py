"""What every part of the settings is: frozen, without unknown keys, quiet about its input.

Pure.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict

from gateway.settings.scalars import matching


class Part(BaseModel):
    """One mapping of the settings file; attribute names are its keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True
    )


_NAME_ALLOWED = "a name of at most 63 of a-z, 0-9 and -, beginning with a letter or digit"
_WIDE_ALLOWED = "a name of at most 63 letters, digits and . _ -, beginning with a letter or digit"

Name = Annotated[str, matching("[a-z0-9][a-z0-9-]{0,62}", _NAME_ALLOWED)]
WideName = Annotated[str, matching("[A-Za-z0-9][A-Za-z0-9._-]{0,62}", _WIDE_ALLOWED)]
