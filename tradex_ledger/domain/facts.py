"""The JSON object that a field of an event carries, as it is stored. Values are made of it (`from_event`) and written
as it (`to_event`): nothing but events, their values and the ledger sees it."""

from __future__ import annotations

from typing import Any

Facts = dict[str, Any]
