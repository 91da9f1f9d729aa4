"""The header of a definition file: TOML in comments, in the manner of PEP 723.

It is apart from the rest of a definition since it is read by who only looks whether all is as it was.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

HEADER = re.compile(r"^-- /// dataset[ \t]*\n(?P<body>(?:--.*\n)+?)-- ///[ \t]*\n", re.MULTILINE)

SIDES = ("__rejected", "__undated")
"""What a source keeps beside its rows is called after it so: lines that are none, and those that no day belongs to."""


def source_of(source: str) -> str:
    """The source of a header's `source`, whatever of it the dataset holds."""
    return next((source.removesuffix(side) for side in SIDES if source.endswith(side)), source)


def read_by(source: str | None, reader: str | None) -> str | None:
    """The reader that a header's `source` and `reader` name: that of the source's own name, unless it says another."""
    return None if source is None else reader or source_of(source)


def fields_of(header: re.Match[str]) -> dict[str, Any]:
    """What a header says, as it says it. Raises: `ValueError` (no TOML), `RecursionError`."""
    return tomllib.loads(re.sub(r"^-- ?", "", header["body"], flags=re.MULTILINE))
