"""A workspace's settings: the file `tradex.toml` in its folder."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tradex_ledger import locate
from tradex_ledger.config_places import SQLITE, lake_place, ledger_url, pipeline_folder, resolve_uri, source_uri
from tradex_ledger.domain.checkpoints import DEFAULT, Checkpoints, checkpoints_of
from tradex_ledger.domain.feeds import FILE as TO_FILE
from tradex_ledger.domain.feeds import FeedSetting, feeds_of
from tradex_ledger.domain.mirrors import MirrorSetting, mirrors_of
from tradex_ledger.domain.policy import Policy, settings
from tradex_ledger.domain.policy_text import MOST as POLICY_MOST
from tradex_ledger.domain.policy_text import PolicyValueError, policy_of, said
from tradex_ledger.domain.spending import Prices, prices_of
from tradex_ledger.errors import EnvironmentFault
from tradex_ledger.outside import Toml
from tradex_ledger.paths import check_name, given, resolved

FILE = locate.FILE
_POOL = re.compile(r"dask:(tcp|tls)://[^\s/@]+:[0-9]{1,5}")
_SECRET = ("ledger", "uri")
_PRICES = ("row_price", "count_price")
FORMAT = 1
PROCESSES = "processes"
PIPELINE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
MOST = {**POLICY_MOST, "workers": 1_000, "task_memory_mb": 16_777_216, "task_minutes": 1_000_000}
"""The most that a number may be: beyond it, it is a slip."""
_KNOWN = {
    "workspace": {"format", "ledger", "lake", "pipeline", "name", "workers", "task_memory_mb", "task_minutes"},
    "source": {"uri", *_PRICES},
    "sources": {"uri", *_PRICES},
    "policy": set(settings()),
    "alerts": {"urls"},
    "compute": {"pool"},
    "checkpoints": set(Checkpoints._fields),
    "mirrors": {"kind", "place"},
}


class ConfigError(EnvironmentFault):
    """The settings cannot be used as they are."""

    code = "config"

    def __init__(self, path: Path, problem: str, mend: str = "") -> None:
        usual = "mend the file; `tradex init` in another folder shows a fresh one"
        super().__init__(f"{path}: {problem}", mend=mend or usual)


@dataclass(frozen=True, slots=True)
class Config:
    """What `tradex.toml` says, with paths resolved: a relative one belongs to the file's folder.

    `sources` are places by the names of sources, `source` that of the one that has none of its own; `name` is the
    pipeline's, where it is not the built-in one's. `prices` are what sources that are called take, by their names ("":
    the one that has none of its own), where the settings say so. `pool` is a cluster's, where worker processes are not
    enough. `checkpoints` say when heads of the ledger are cut, and where they go; `mirrors` are for other readers;
    `feeds` are told of its events.
    """

    folder: Path
    ledger_url: str
    lake: str
    pipeline: Path | None
    source: str | None
    workers: int | None
    task_memory_mb: int
    policy: Policy
    alert_urls: tuple[str, ...] = ()
    task_minutes: int = 360
    sources: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    prices: Mapping[str, Prices] = field(default_factory=dict)
    pool: str | None = None
    checkpoints: Checkpoints = DEFAULT
    mirrors: tuple[MirrorSetting, ...] = ()
    feeds: tuple[FeedSetting, ...] = ()


def open_config(path: str | Path) -> Config:
    """The settings of the workspace in a folder, or of the nearest one above it."""
    return load_config(locate.find_workspace(resolved(str(path), "the workspace")) / FILE)


def load_config(path: Path) -> Config:
    """Read and check the settings file. Raises `ConfigError` with the value that is off."""
    folder = path.parent
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(path, f"it is not UTF-8 (at byte {error.start})", "save it in UTF-8") from None
    except (ValueError, RecursionError) as error:  # a number of very many digits is none of TOML's own errors
        raise ConfigError(path, f"it is not TOML: {error}") from None
    except OSError as error:
        raise ConfigError(path, f"it cannot be read: {error.strerror}") from None
    told = _feeds(path, content.pop("feeds", {}), content.pop("subscriptions", {}))
    for section, values in content.items():
        if section not in _KNOWN or not isinstance(values, dict):
            raise ConfigError(path, f"it has a section [{section}] that nobody knows")
        for name, known in _sections(path, section, values):
            if unknown := sorted(set(known) - _KNOWN[section]):
                raise ConfigError(path, f"[{name}] has {', '.join(unknown)}, which nobody knows")
    workspace = content.get("workspace", {})
    if workspace.get("format") != FORMAT:
        raise ConfigError(path, f"[workspace] has the format {workspace.get('format')!r}; this version reads {FORMAT}")
    check_name(folder, "the workspace")
    url = ledger_url(_text(path, workspace, "ledger"), folder)
    if url.startswith(SQLITE):  # what belongs to the file lies beside it, not beside a link to it
        url = f"{SQLITE}{os.path.realpath(url.removeprefix(SQLITE))}"
    lake = lake_place(_text(path, workspace, "lake"), folder)

    def place_of(values: Mapping[str, Toml]) -> str:
        return source_uri(_text(path, values, "uri"), folder)

    sources = content.get("sources", {})
    own = pipeline_folder(_text(path, workspace, "pipeline"), folder) if "pipeline" in workspace else None
    return Config(
        folder=folder,
        ledger_url=url,
        lake=lake,
        pipeline=own,
        source=None if sources and "source" not in content else place_of(content.get("source", {})),
        sources={name: place_of(values) for name, values in sources.items()},
        prices=_prices(path, {"": content.get("source", {}), **sources}),
        name=_name(path, workspace),
        workers=_positive(path, workspace, "workers", None),
        task_memory_mb=_positive(path, workspace, "task_memory_mb", 512) or 512,
        task_minutes=_positive(path, workspace, "task_minutes", 360) or 360,
        policy=_policy(path, content.get("policy", {})),
        alert_urls=_urls(path, content.get("alerts", {})),
        pool=_pool(path, content.get("compute", {})),
        checkpoints=_checkpoints(path, content.get("checkpoints", {})),
        mirrors=_mirrors(path, content.get("mirrors", {})),
        feeds=told,
    )


def _sections(path: Path, section: str, values: Mapping[str, Toml]) -> list[tuple[str, Mapping[str, Toml]]]:
    """A section by its name, or those of the sources and mirrors by theirs. Raises `ConfigError`."""
    if section not in ("sources", "mirrors"):
        return [(section, values)]
    found: list[tuple[str, Mapping[str, Toml]]] = []
    for name, one in values.items():
        if not isinstance(one, dict):
            raise ConfigError(
                path, f"[{section}] has {name}, which is no section", f"begin one with [{section}.{name}]"
            )
        found.append((f"{section}.{name}", one))
    return found


def _prices(path: Path, sources: Mapping[str, Mapping[str, Toml]]) -> dict[str, Prices]:
    """What sources take, where it is said. Raises `ConfigError`."""
    try:
        found = {name: prices_of(*map(values.get, _PRICES)) for name, values in sources.items()}
    except ValueError as error:
        raise ConfigError(path, f"{' and '.join(_PRICES)} {error}") from None
    return {name: prices for name, prices in found.items() if prices is not None}


def _name(path: Path, workspace: Mapping[str, Toml]) -> str | None:
    """The name of the pipeline. Raises `ConfigError`."""
    name = _text(path, workspace, "name") if "name" in workspace else None
    if name is not None and not PIPELINE_NAME.fullmatch(name):
        raise ConfigError(path, f"[workspace] name must be a name (a-z, 0-9, _, -), not {said(name)}")
    return name


def _text(path: Path, values: Mapping[str, Toml], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value or "\0" in value:
        told = type(value).__name__ if name in _SECRET and value else said(value)
        raise ConfigError(path, f"{name} must be a text, not {told}")
    return value


def _pool(path: Path, values: Mapping[str, Toml]) -> str | None:
    """Where windows are built; None for worker processes. Raises `ConfigError`."""
    place = _text(path, values, "pool") if values else PROCESSES
    if place != PROCESSES and not _POOL.fullmatch(place):
        usual = f'say pool = "{PROCESSES}" or "dask:tcp://HOST:PORT" (the scheduler\'s)'
        raise ConfigError(path, f"[compute] pool is no pool: {said(place)}", usual)
    return None if place == PROCESSES else place


def _checkpoints(path: Path, values: Mapping[str, Toml]) -> Checkpoints:
    """The same with the places outside absolute. Raises `ConfigError`."""
    try:
        found = checkpoints_of(values)
    except ValueError as error:
        raise ConfigError(path, f"[checkpoints] {error}") from None
    sinks = tuple(given(sink, path.parent) for sink in found.sinks)
    for sink in sinks:
        if path.parent in (sink, *sink.parents):
            raise ConfigError(path, f"[checkpoints] {sink} lies in the workspace, and is not outside")
    return found._replace(sinks=tuple(map(str, sinks)))


def _mirrors(path: Path, values: Mapping[str, object]) -> tuple[MirrorSetting, ...]:
    """The same with absolute places. Raises `ConfigError`, `PasswordInUrlError`."""

    def absolute(place: str) -> str:
        return ledger_url(place, path.parent) if "://" in place else str(given(place, path.parent))

    try:
        return tuple(one._replace(place=absolute(one.place)) for one in mirrors_of(values))
    except ValueError as error:
        raise ConfigError(path, f"[mirrors] {error}") from None


def _feeds(path: Path, feeds: Toml, subscriptions: Toml) -> tuple[FeedSetting, ...]:
    """The same with absolute paths. Raises `ConfigError`, `UnusablePathError`."""

    def absolute(one: FeedSetting) -> FeedSetting:
        secret = one.secret_file and str(given(one.secret_file, path.parent))
        return one._replace(to=resolve_uri(one.to, TO_FILE, path.parent), secret_file=secret)

    try:
        return tuple(map(absolute, feeds_of(feeds, subscriptions)))
    except ValueError as error:
        raise ConfigError(path, str(error)) from None


def _positive(path: Path, values: Mapping[str, Toml], name: str, default: int | None) -> int | None:
    value = values.get(name, default)
    most = MOST[name]
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most):
        raise ConfigError(path, f"[workspace] {name} must be a whole number from 1 to {most}, not {said(value)}")
    return value


def _policy(path: Path, values: Mapping[str, Toml]) -> Policy:
    """What is proposed under [policy]; what is judged by is on record."""
    try:
        return policy_of(values)
    except PolicyValueError as error:
        raise ConfigError(path, f"[policy] {error.message}", error.mend) from None


def _urls(path: Path, values: Mapping[str, Toml]) -> tuple[str, ...]:
    urls = values.get("urls", [])
    if not isinstance(urls, list):
        raise ConfigError(path, "[alerts] urls must be a list of URLs")  # its values may be secrets: they are not said
    for number, url in enumerate(urls, 1):
        if not isinstance(url, str) or "://" not in url:
            raise ConfigError(path, f"[alerts] urls must be a list of URLs: number {number} is none")
    return tuple(map(str, urls))
