"""What a JSON document from outside is made of, before anybody has looked at it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

JsonObject: TypeAlias = Mapping[str, Json]
"""The members of an object by their names, to be read and not to be changed."""
