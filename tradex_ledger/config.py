"""A workspace's settings: the file `tradex.toml` in its folder."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tradex_ledger.domain.policy import Policy
from tradex_ledger.errors import EnvironmentFault, NotFoundError

FILE = "tradex.toml"
FORMAT = 1
_KNOWN = {
    "workspace": {"format", "ledger", "lake", "pipeline", "workers", "task_memory_mb"},
    "source": {"uri"},
    "policy": {field.name for field in fields(Policy)},
}
_TEMPLATE = """\
# A tradex-ledger workspace. Relative paths are relative to this folder.

[workspace]
format = {format}
ledger = "{ledger}"
lake = "{lake}"
{pipeline}     # a folder of your own dataset definitions; without it, the built-in TradeX pipeline
# workers = 2               # worker processes; without it, one a processor
# task_memory_mb = 512      # bound for each task; what does not fit is spilled to disk

[source]
uri = "{source}"

[policy]
# window_partitions = {policy.window_partitions}     # consecutive days that one statement rebuilds, at most
# max_partitions = {policy.max_partitions}     # partitions that one backfill may plan, at most
"""


class ConfigError(EnvironmentFault):
    """The settings cannot be used as they are."""

    code = "config"

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}", mend="mend the file; `tradex init` in another folder shows a fresh one")


class NoWorkspaceError(NotFoundError):
    """There is no workspace where one was looked for."""

    code = "no-workspace"

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"there is no workspace in {folder} or above it (no {FILE})",
            mend="make one: tradex init DIR --source files:PATH; or name one: tradex -C DIR …",
        )


@dataclass(frozen=True, slots=True)
class Config:
    """What `tradex.toml` says, with paths resolved."""

    folder: Path
    ledger_url: str
    lake: Path
    pipeline: Path | None
    source: str
    workers: int | None
    task_memory_mb: int
    policy: Policy


def find_workspace(start: Path) -> Path:
    """The nearest folder, from `start` upwards, that holds a workspace. Raises `NoWorkspaceError`."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder
    raise NoWorkspaceError(start)


def load_config(path: Path) -> Config:
    """Read and check the settings file. Raises `ConfigError` with the value that is off."""
    folder = path.parent
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(path, f"it is not TOML: {error}") from None
    except OSError as error:
        raise ConfigError(path, f"it cannot be read: {error.strerror}") from None
    for section, values in content.items():
        if section not in _KNOWN or not isinstance(values, dict):
            raise ConfigError(path, f"it has a section [{section}] that nobody knows")
        unknown = sorted(set(values) - _KNOWN[section])
        if unknown:
            raise ConfigError(path, f"[{section}] has {', '.join(unknown)}, which nobody knows")
    workspace = content.get("workspace", {})
    if workspace.get("format") != FORMAT:
        raise ConfigError(path, f"[workspace] has the format {workspace.get('format')!r}; this version reads {FORMAT}")
    own = workspace.get("pipeline")
    return Config(
        folder=folder,
        ledger_url=_ledger_url(folder, _text(path, workspace, "ledger")),
        lake=folder / _text(path, workspace, "lake"),
        pipeline=folder / own if own else None,
        source=_text(path, content.get("source", {}), "uri"),
        workers=_positive(path, "workspace", workspace, "workers", None),
        task_memory_mb=_positive(path, "workspace", workspace, "task_memory_mb", 512) or 512,
        policy=_policy(path, content.get("policy", {})),
    )


def _text(path: Path, values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise ConfigError(path, f"{name} must be a text, not {value!r}")
    return value


def _positive(path: Path, section: str, values: Mapping[str, Any], name: str, default: int | None) -> int | None:
    value = values.get(name, default)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise ConfigError(path, f"[{section}] {name} must be a whole number from 1 on, not {value!r}")
    return value


def _policy(path: Path, values: Mapping[str, Any]) -> Policy:
    defaults = Policy()
    chosen = {
        field.name: _positive(path, "policy", values, field.name, getattr(defaults, field.name))
        for field in fields(Policy)
    }
    return Policy(**chosen)  # type: ignore[arg-type]


def _ledger_url(folder: Path, url: str) -> str:
    """A SQLite file named relatively lies in the workspace."""
    prefix = "sqlite:///"
    if url.startswith(prefix) and not url.startswith(prefix + "/"):
        return prefix + str((folder / url.removeprefix(prefix)).resolve())
    return url


def write_config(path: Path, *, ledger: str, lake: str, source: str, pipeline: str | None = None) -> None:
    """Write fresh settings; its comments name every setting."""
    text = _TEMPLATE.format(
        format=FORMAT,
        ledger=ledger,
        lake=lake,
        source=source.replace("\\", "/"),
        pipeline=f'pipeline = "{pipeline}"' if pipeline else '# pipeline = "pipeline"',
        policy=Policy(),
    )
    path.write_text(text, encoding="utf-8")
