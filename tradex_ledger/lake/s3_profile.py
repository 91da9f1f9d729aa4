"""What a profile says, in the files that the tools of AWS keep: the client of the store does not read those.

Keys alone are taken from them; a role that has to be assumed, or a login in a browser, is a thing for those tools
(`aws configure export-credentials`).
"""

from __future__ import annotations

import configparser
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_ELSEWHERE = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_SKIP_SIGNATURE",
)
"""Where one of these is given, the client itself finds its credentials."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile: what is not in its files is None. It shows none of its keys."""

    region: str | None = None
    endpoint: str | None = None
    key_id: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


def profile() -> Profile:
    """The profile of `AWS_PROFILE`, as its files are now; without keys where the environment names credentials."""
    files = []
    for name, usual in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        path = Path(os.environ.get(name) or Path(os.environ.get("HOME", "/"), ".aws", usual))
        try:
            state = path.stat()
        except OSError:
            continue
        files.append((str(path), state.st_ino, state.st_size, state.st_mtime_ns))
    has_own = any(os.environ.get(name) for name in _ELSEWHERE)
    return _read(tuple(files), os.environ.get("AWS_PROFILE") or "default", has_own) if files else Profile()


@cache
def _read(files: tuple[tuple[str, int, int, int], ...], name: str, has_own: bool) -> Profile:
    found = configparser.RawConfigParser(strict=False)
    try:
        found.read([path for path, *_ in files], encoding="utf-8")
    except (configparser.Error, OSError, UnicodeError):
        return Profile()

    def value(key: str) -> str | None:
        for section in (name, f"profile {name}"):
            if found.has_option(section, key):
                return found.get(section, key) or None
        return None

    if has_own:
        return Profile(value("region"), value("endpoint_url"))
    keys = [value(f"aws_{key}") for key in ("access_key_id", "secret_access_key", "session_token")]
    return Profile(value("region"), value("endpoint_url"), *keys)
