"""The header of a definition file: TOML in comments, in the manner of PEP 723.

It is apart from the rest of a definition since it is read by who only looks whether all is as it was.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

HEADER = re.compile(r"^-- /// dataset[ \t]*\n(?P<body>(?:--.*\n)+?)-- ///[ \t]*\n", re.MULTILINE)


def fields_of(header: re.Match[str]) -> dict[str, Any]:
    """What a header says, as it says it. Raises: `ValueError` (no TOML), `RecursionError`."""
    return tomllib.loads(re.sub(r"^-- ?", "", header["body"], flags=re.MULTILINE))
