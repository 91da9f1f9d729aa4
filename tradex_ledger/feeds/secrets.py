"""The secret of a feed: in a variable of the environment or a file, read at each opening; it is never told."""

from __future__ import annotations

import os
import stat
from base64 import b64decode
from binascii import Error
from pathlib import Path

from tradex_ledger.domain.feeds import FeedSetting
from tradex_ledger.feeds.errors import FeedSecretError

PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
_MOST_BYTES = 4_096
_MEND = "lay down what the receiver gave out (whsec_…), or make one: echo whsec_$(openssl rand -base64 32)"


def signing_secrets(setting: FeedSetting) -> tuple[bytes, ...]:
    """What messages are signed with: one, or several with blanks between. Raises `FeedSecretError`."""
    found = []
    for number, text in enumerate(_text(setting, _MEND).split(), 1):
        try:
            key = b64decode(text.removeprefix(PREFIX), validate=True) if text.startswith(PREFIX) else b""
        except (Error, ValueError):
            key = b""
        if not _SHORTEST <= len(key) <= _LONGEST:
            problem = f"secret number {number} is none: {PREFIX} and {_SHORTEST} to {_LONGEST} bytes in base64"
            raise FeedSecretError(setting, problem, _MEND)
        found.append(key)
    return tuple(found)


def token(setting: FeedSetting) -> str | None:
    """What a receiver of lineage asks for; None where the settings name none. Raises `FeedSecretError`."""
    if setting.secret_env is None and setting.secret_file is None:
        return None
    mend = "lay down the token that the receiver gave out, in one line"
    found = _text(setting, mend)
    if not (found.isascii() and found.isprintable()) or " " in found:
        raise FeedSecretError(setting, "what is laid down as its token is no text of one line", mend)
    return found


def _text(setting: FeedSetting, mend: str) -> str:
    """Raises `FeedSecretError` where there is nothing, or everybody can read it."""
    if setting.secret_env is not None:
        found, where = os.environ.get(setting.secret_env, ""), f"the variable {setting.secret_env}"
    else:
        assert setting.secret_file is not None
        found, where = _read(setting, Path(setting.secret_file), mend), setting.secret_file
    if not found.strip():
        raise FeedSecretError(setting, f"its secret is not there: {where} is empty, or unset", mend)
    return found.strip()


def _read(setting: FeedSetting, path: Path, mend: str) -> str:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & stat.S_IROTH:
                raise FeedSecretError(setting, f"everybody can read {path}", f"chmod 600 {path}")
            return file.read(_MOST_BYTES).decode("ascii")
    except OSError as error:
        raise FeedSecretError(setting, f"{path} cannot be read: {error.strerror}", mend) from None
    except UnicodeDecodeError:
        raise FeedSecretError(setting, f"{path} holds no ASCII text", mend) from None
