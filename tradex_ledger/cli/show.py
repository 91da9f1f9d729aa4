"""The only place that prints: tables and progress on a terminal, plain text in a pipe, one document with `--json`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TextIO

import orjson

from tradex_ledger.errors import TradexError

TEXT_MAX = 72
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def plain(value: Any) -> Any:
    """A value as JSON has it: days and times as ISO text (times in UTC), whole numbers whole."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def cell(value: Any) -> str:
    """A value as a table shows it."""
    value = plain(value)
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode() if value else "-"
    if isinstance(value, str) and _TIME.fullmatch(value):
        return value[:19].replace("T", " ") + "Z"
    return str(value)


class Show:
    """Prints results to stdout and everything about them to stderr."""

    def __init__(self, *, as_json: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self.out = out or sys.stdout
        self.err = err or sys.stderr

    def document(self, value: Any) -> None:
        """One JSON document (with `--json`, the only thing on stdout)."""
        self._write(self.out, orjson.dumps(plain(value), option=orjson.OPT_INDENT_2).decode())

    def note(self, text: str) -> None:
        """Something to know, beside the result."""
        if not self.as_json:
            self._write(self.err, text)

    def warning(self, text: str) -> None:
        """Something that could mislead; said even beside a document."""
        self._write(self.err, f"warning: {text}")

    def line(self, text: str = "") -> None:
        """A line of the result."""
        if not self.as_json:
            self._write(self.out, text)

    def table(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, title: str = "") -> None:
        """Rows under headings: drawn on a terminal, tab-separated in a pipe."""
        if self.as_json:
            return
        cells = [[cell(row.get(column)) for column in columns] for row in rows]
        if not self.out.isatty():
            self._write(self.out, "\n".join("\t".join(line) for line in [list(columns), *cells]))
            return
        from rich.console import Console
        from rich.markup import escape
        from rich.table import Table

        drawn = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
        for column in columns:
            numeric = all(isinstance(row.get(column), int | float | None) for row in rows)
            drawn.add_column(column, justify="right" if numeric else "left", overflow="fold")
        for line in cells:
            drawn.add_row(*map(escape, line))
        Console(file=self.out).print(drawn)

    def facts(self, facts: Mapping[str, Any]) -> None:
        """Names and values, one a line; what has no value is left out."""
        shown = {name: cell(value) for name, value in facts.items() if value not in (None, "", [], {})}
        width = max((len(name) for name in shown), default=0)
        for name, text in shown.items():
            self.line(f"{name:<{width}}  {text}")

    def error(self, error: TradexError) -> None:
        """What went wrong, and what mends it; with `--json` also as the document."""
        self._write(self.err, f"error: {error.message}")
        for note in getattr(error, "__notes__", []):
            self._write(self.err, f"note: {note}")
        if error.mend:
            self._write(self.err, f"mend: {error.mend}")
        if self.as_json:
            self.document({"error": {"code": error.code, "message": error.message, "mend": error.mend}})

    @contextmanager
    def progress(self) -> Iterator[Any]:
        """A progress callback: bars on a terminal, a line a stage in a pipe, silence with `--json`."""
        if self.as_json:
            yield lambda *_: None
        elif self.err.isatty():
            with _bars(self.err) as callback:
                yield callback
        else:
            yield self._stage_lines()

    def _stage_lines(self) -> Any:
        def callback(stage: str, done: int, total: int) -> None:
            if done == total:
                self._write(self.err, f"{stage}: {done} of {total}" if total else stage)

        return callback

    def _write(self, stream: TextIO, text: str) -> None:
        stream.write(text + "\n")
        stream.flush()


@contextmanager
def _bars(stream: TextIO) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(file=stream),
    ) as progress:
        tasks: dict[str, Any] = {}

        def callback(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)

        yield callback


def short(text: Any, length: int = TEXT_MAX) -> str:
    """A text on one line, cut where it would run on."""
    flat = " ".join(str(text if text is not None else "-").split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"


def bytes_text(count: int | None) -> str:
    """A number of bytes for people: 1.4 MiB."""
    size = float(count or 0)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def seconds_text(milliseconds: int | None) -> str:
    """A duration for people: 3.2 s, 4 min 10 s."""
    if milliseconds is None:
        return "-"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def pick(rows: Iterable[Mapping[str, Any]], *columns: str) -> list[dict[str, Any]]:
    """Only some columns of rows."""
    return [{column: row.get(column) for column in columns} for row in rows]
