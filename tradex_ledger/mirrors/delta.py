"""A Delta table a dataset, made of logs alone: the data files are those of the lake.

    PLACE/gold_signals/_delta_log/00000000000000000000.json …   a commit each time readers get something else
    PLACE/gold_signals/_lake                                     a link to the lake
    PLACE/tradex_mirror.json                                     how far the mirror has come

A Delta log names files under its table's own folder: delta-rs, polars and DuckDB read neither an absolute URI nor a
path with `..`. So the lake is there by a link, under a name that begins with `_`: what cleans a table up (VACUUM) looks
into no such folder, whatever it is told to keep.

The order of a commit, and what a crash leaves: (1) the log's next file is written under another name, made durable and
linked to its own, so it is there whole or not at all; (2) once all tables are done, the note of how far is replaced.
Before 1 the commit is missing, before 2 the note is behind its logs: either way, each table goes on behind the position
of its own last commit, which is held against the ledger first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import orjson

from tradex_ledger.datasets.names import is_name
from tradex_ledger.domain.facts import facts_of
from tradex_ledger.lake.storage import translate
from tradex_ledger.mirrors import delta_log
from tradex_ledger.mirrors.column_words import NoSuchTypeError
from tradex_ledger.mirrors.files import Point, lay, make_folder, nowhere, put
from tradex_ledger.mirrors.port import Held, NotOursError, StrangeMirrorError, held_of
from tradex_ledger.mirrors.step import Change, Step

KIND = "delta"
NOTE = "tradex_mirror.json"
LOG = "_delta_log"
LINK = "_lake"
_CHECKPOINT = ("_last_checkpoint", ".checkpoint.parquet", ".crc")


class _Note(NamedTuple):
    ledger: object
    position: object
    root: object
    commits: dict[str, int]
    left_out: dict[str, str]


@dataclass(frozen=True, slots=True)
class Noted:
    """What the note says: how far, how many commits each table has then, and which datasets have no table, and why."""

    held: Held
    commits: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeltaMirror:
    """The tables of a ledger in a folder; `lake` is where the data files are, `root_of` gives the root (hex) of the
    ledger's tree at a position."""

    name: str
    folder: Path
    lake: Path
    ledger: str
    root_of: Callable[[int], str]
    point: Point = nowhere

    def held(self) -> Held | None:
        """As the port has it."""
        noted = self._noted()
        return noted.held if noted else None

    def fits(self) -> bool:
        """As the port has it."""
        noted = self._noted()
        return noted is None or all(_leads(self.folder / name / LINK, self.lake) for name in noted.commits)

    def left_out(self) -> dict[str, str]:
        """The datasets that have no table here, and why."""
        noted = self._noted()
        return noted.left_out if noted else {}

    def _noted(self) -> Noted | None:
        return read_note(self.name, self.folder)

    def take(self, steps: Sequence[Step], before: Held | None, upto: Held) -> int:
        """As the port has it."""
        try:
            return self._take(steps, before, upto)
        except OSError as error:
            raise translate(error, f"writing the mirror {self.name} in {self.folder}") from error

    def _take(self, steps: Sequence[Step], before: Held | None, upto: Held) -> int:
        noted = self._noted()
        if before is not None and noted is None:
            raise StrangeMirrorError(self.name, "has lost the note of how far it has come")
        left_out = dict(noted.left_out) if noted else {}
        tables: dict[str, delta_log.End] = {}
        for name, commits in (noted.commits if noted else {}).items():
            tables[name] = self._end_of(name, commits)
            self._link(name)
        done = 0
        for step in steps:
            laid = [self._commit(step, change, tables, left_out) for change in step.changes]
            done += any(laid)
        ends = {name: end.commits for name, end in tables.items() if end.commits}
        self.point("before the note")
        newer = self._noted()  # of another that was at it, too
        if newer is None or newer.held.position < upto.position:
            make_folder(self.folder)
            put(self.folder / NOTE, _note(Noted(upto, ends, left_out)))
        return done

    def _commit(self, step: Step, change: Change, tables: dict[str, delta_log.End], left_out: dict[str, str]) -> bool:
        name = change.dataset
        if name not in tables:
            tables[name] = self._end_of(name, 0)
        end = tables[name]
        if change.columns is not None:
            left_out.pop(name, None)
        if end.position >= step.position or name in left_out:
            return False
        try:
            text = delta_log.commit(self.ledger, self.root_of(step.position), step, change, is_first=not end.commits)
        except NoSuchTypeError as error:
            left_out[name] = f"Delta has no type for {error}"
            return False
        self._link(name)
        path = self._log(name) / delta_log.file_name(end.commits)
        self.point("before a commit")
        is_ours = lay(path, text)
        if not is_ours and path.read_bytes() != text:
            raise StrangeMirrorError(self.name, f"has another commit {end.commits} of {name} than this ledger makes")
        self.point("after a commit")
        tables[name] = delta_log.End(end.commits + 1, step.position)
        return is_ours

    def _link(self, name: str) -> None:
        """Have the lake under the table; a mirror that was moved gets its link anew."""
        table = self.folder / name
        make_folder(table)
        make_folder(table / LOG)
        link, target = table / LINK, os.path.relpath(os.path.realpath(self.lake), os.path.realpath(table))
        if os.path.lexists(link):
            if _leads(link, self.lake):
                return
            link.unlink()
        link.symlink_to(target, target_is_directory=True)

    def _end_of(self, name: str, least: int) -> delta_log.End:
        """Where a table's log ends. Raises `StrangeMirrorError` unless its last commit is one of this ledger."""
        numbers = _numbers(self._log(name))
        commits = len(numbers)
        if commits < least:
            raise StrangeMirrorError(self.name, f"has {commits} commits of {name}, and had {least}")
        if lost := set(range(commits)) - numbers:
            raise StrangeMirrorError(self.name, f"has lost commit {min(lost)} of {name}, and has later ones")
        if not commits:
            return delta_log.End(0, 0)
        last = delta_log.told(self._log(name) / delta_log.file_name(commits - 1))
        if last is None:
            raise StrangeMirrorError(self.name, f"has a commit {commits - 1} of {name} that somebody else made")
        if last.ledger != self.ledger or last.root != self.root_of(last.position):
            raise StrangeMirrorError(
                self.name, f"has a commit of {name} as of position {last.position} of another record"
            )
        return delta_log.End(commits, last.position)

    def _log(self, name: str) -> Path:
        return self.folder / name / LOG

    def clear(self) -> None:
        """As the port has it; tables go from their last commits on."""
        try:
            found = sorted(self.folder.glob(f"*/{LOG}"))
            for log in found:
                first = log / delta_log.file_name(0)
                if first.exists() and delta_log.told(first) is None:
                    raise NotOursError(self.name, f"is where somebody else has a table, {log.parent.name}")
            (self.folder / NOTE).unlink(missing_ok=True)
            for log in found:
                for file in sorted(log.iterdir(), reverse=True):
                    if delta_log.number_of(file.name) is not None or file.name.endswith(_CHECKPOINT):
                        file.unlink()
                        self.point("while cleared")
                    elif file.name.startswith("."):
                        file.unlink()
                (log.parent / LINK).unlink(missing_ok=True)
                for folder in (log, log.parent):
                    if not any(folder.iterdir()):  # what others laid there is theirs
                        folder.rmdir()
        except OSError as error:
            raise translate(error, f"clearing the mirror {self.name} in {self.folder}") from error


def _leads(link: Path, lake: Path) -> bool:
    return link.is_symlink() and os.path.realpath(link) == os.path.realpath(lake)


def read_note(name: str, folder: Path) -> Noted | None:
    """What the note of a mirror says; None where there is none. Raises: `StrangeMirrorError`, `EnvironmentFault`."""
    try:
        told = facts_of(_Note, orjson.loads((folder / NOTE).read_bytes()))
        held = held_of(name, told.ledger, told.position, told.root)
        noted = Noted(held, dict(told.commits), dict(told.left_out))
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError):
        raise StrangeMirrorError(name, f"has a note ({NOTE}) that cannot be read") from None
    except OSError as error:
        raise translate(error, f"reading the mirror {name} in {folder}") from error
    for dataset, said in (*noted.commits.items(), *noted.left_out.items()):
        if not is_name(dataset):  # it becomes a path
            raise StrangeMirrorError(name, f"has a note ({NOTE}) of a dataset that is none, {dataset[:80]!r}")
        if not isinstance(said, int if dataset in noted.commits else str):
            raise StrangeMirrorError(
                name, f"has a note ({NOTE}) that says of {dataset} what is none, {str(said)[:80]!r}"
            )
    return noted


def _note(noted: Noted) -> bytes:
    said = {**noted.held._asdict(), "commits": noted.commits, "left_out": noted.left_out}
    return orjson.dumps(said, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _numbers(log: Path) -> set[int]:
    """The numbers of the commits that a log has."""
    found = (delta_log.number_of(file.name) for file in log.iterdir()) if log.is_dir() else ()
    return {number for number in found if number is not None}
