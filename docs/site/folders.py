"""Links to a folder lead to its page, as they do where the repository is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"\[([^\]\n]+)\]\((?!https?:|mailto:|#)([^)\s#]+)\)")


def led(text: str, page: Path) -> str:
    """A page whose links to folders lead to what is in them: a README, else to nowhere, as text alone."""

    def to(match: re.Match[str]) -> str:
        target = page.parent / match[2]
        if target.is_file():
            return match[0]
        return f"[{match[1]}]({match[2].rstrip('/')}/README.md)" if (target / "README.md").is_file() else match[1]

    return _LINK.sub(to, text)


def _read(app: Any, name: str, content: list[str]) -> None:
    page = Path(app.env.doc2path(name))
    if page.suffix == ".md":
        content[0] = led(content[0], page)


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls to load this as an extension."""
    app.connect("source-read", _read)
    return {"parallel_read_safe": True}
