"""The data files the program carries: event schemas, DDL and projections."""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from tradex_ledger.errors import EnvironmentFault

TOP_FOLDERS = ("schema", "projections")


class MissingResourceError(EnvironmentFault):
    """A file that ships with the program is not there."""

    code = "missing-resource"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not among the program's own files", mend="install tradex-ledger again")


@cache
def _folder(top: str) -> Traversable:
    """A top-level folder: carried inside the package by the wheel, beside the package in a checkout."""
    if top not in TOP_FOLDERS:
        raise MissingResourceError(top)
    package = resources.files("tradex_ledger")
    inside = package / top
    if inside.is_dir():
        return inside
    beside = Path(str(package)).parent / top
    if beside.is_dir():
        return beside
    raise MissingResourceError(f"{top}/")


def read_text(*parts: str) -> str:
    """The text of one file, such as `read_text("schema", "ledger", "sqlite.sql")`."""
    top, *rest = parts
    file = _folder(top).joinpath(*rest)
    if not file.is_file():
        raise MissingResourceError("/".join(parts))
    return file.read_text(encoding="utf-8")


@cache
def event_topics() -> tuple[str, ...]:
    """The topics of all kinds of events, sorted: of `dataset.registered.v1.json` it is `dataset.registered`."""
    return tuple(sorted({name.rpartition(".v")[0] for name in names("schema/events")}))


def names(folder: str) -> list[str]:
    """The names of the files in a folder such as `projections` or `schema/events`, sorted."""
    top, *rest = folder.split("/")
    here = _folder(top).joinpath(*rest)
    if not here.is_dir():
        raise MissingResourceError(folder)
    return sorted(item.name for item in here.iterdir() if item.is_file())
