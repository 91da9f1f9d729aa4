"""The workspaces of commit 08cd57c (`tests/fixtures/workspace_08cd57c`): unpacked, and what they answered then."""

from __future__ import annotations

import json
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.kit.tree import FIXTURES
from tradex_ledger.config import FILE

HERE = FIXTURES / "workspace_08cd57c"
NAMES = ("own", "ws")


def unpack(folder: Path) -> Path:
    """Copies of `posts`, `ws` and `own` in a folder; both name `posts` as their source, wherever one stands."""
    with tarfile.open(HERE / "workspaces.tar.gz") as archive:
        if hasattr(tarfile, "data_filter"):  # Python has known it since 3.11.4
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)
    for name in NAMES:
        settings = folder / name / FILE
        text = settings.read_text(encoding="utf-8")
        assert 'uri = "files:posts"' in text
        settings.write_text(text.replace('"files:posts"', json.dumps(f"files:{folder / 'posts'}")), encoding="utf-8")
    return folder


@cache
def recorded() -> dict[str, Any]:
    """What was recorded at that commit."""
    found: dict[str, Any] = json.loads((HERE / "answers.json").read_text(encoding="utf-8"))
    return found


def answers(name: str) -> list[dict[str, Any]]:
    """Each question (`asked`, the words of a command) with its `answer` of then."""
    found: list[dict[str, Any]] = recorded()["workspaces"][name]["answers"]
    return found


def cases() -> list[dict[str, Any]]:
    """Kinds of posts that were read wrongly then: `name`, `about`, and `meant`, a list of (day, id, tickers)."""
    found: list[dict[str, Any]] = recorded()["cases"]
    return found


def narrowed(found: Any, then: Any) -> Any:
    """What is found, of what was recorded: answers may grow, they may not change."""
    if isinstance(then, dict) and isinstance(found, dict):
        return {key: narrowed(found.get(key), value) for key, value in then.items()}
    if isinstance(then, list) and isinstance(found, list) and len(then) == len(found):
        return [narrowed(*pair) for pair in zip(found, then, strict=True)]
    return found
