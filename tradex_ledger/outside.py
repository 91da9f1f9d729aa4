"""What documents from outside are made of, before anybody has looked at them: JSON, and TOML."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

JsonObject: TypeAlias = Mapping[str, Json]
"""The members of an object by their names, to be read and not to be changed."""

Toml: TypeAlias = "bool | int | float | str | datetime | date | time | list[Toml] | dict[str, Toml]"
