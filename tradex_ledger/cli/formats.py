"""Rows in the forms that other programs read: CSV, TSV, JSON Lines, Parquet, Markdown.

CSV and TSV come back as the very same rows when they are read as texts: each value stands in quotes, and only what is
NULL does not. What stands for NULL must be no value of the rows, since readers take a quoted one for NULL, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import orjson

from tradex_ledger.cli.common import FORMATS, NULL
from tradex_ledger.cli.escape import shown, shown_json
from tradex_ledger.errors import ConflictError, EnvironmentFault, UsageError
from tradex_ledger.locate import check_no_part

if TYPE_CHECKING:
    from pyarrow import Table

    from tradex_ledger.cli.cells import Plain

SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".parquet": "parquet", ".md": "markdown"}
_SEPARATORS = {"csv": ",", "tsv": "\t"}
_MARKS = str.maketrans({"|": r"\|", "\\": "\\\\", "<": "&lt;", "&": "&amp;"})


class OutputFileFault(EnvironmentFault):
    """The file that rows were to be written to cannot be written; what was there is as it was."""

    code = "output-file"


class NullInRowsError(ConflictError):
    """What was to stand for NULL is a value of the rows."""

    code = "null-in-rows"

    def __init__(self, null: str, column: str) -> None:
        super().__init__(
            f"{null!r} was to stand for NULL, and is a value of the column {column!r}",
            mend="say what stands for NULL and is no value, for example: --null '<NULL>'",
        )


@dataclass(frozen=True, slots=True)
class Output:
    """How rows are wanted: in which form, in which file (None: standard output), with what for NULL."""

    form: str
    file: Path | None = None
    null: str = NULL


@dataclass(frozen=True, slots=True)
class Rows:
    """What is written: names of columns, and a value a column for each row, as JSON has them (`values`), beside the
    same as a table of Arrow, made by who needs it."""

    columns: Sequence[str]
    values: Sequence[Sequence[Plain]]
    arrow: Callable[[], Table]


def output_of(form: str | None, file: Path | None, null: str) -> Output | None:
    """What the options of a command mean; None: as a person reads it. Raises `UsageError`."""
    if form is None and file is not None:
        form = SUFFIXES.get(file.suffix.lower())
        if form is None:
            raise UsageError(f"{file} does not say in which form it is wanted", mend=f"--format {'|'.join(FORMATS)}")
    if form in (None, "table"):
        if file is not None:
            raise UsageError("a table for people is drawn on the terminal", mend="--format markdown, or > FILE")
        return None
    if not null or any(character in null for character in '",\t\r\n'):
        raise UsageError(
            f"{null!r} cannot stand for NULL", mend=f"a short text without quotes, commas and tabs: {NULL}"
        )
    return Output(str(form), file, null)


def text_of(rows: Rows, output: Output, *, draws: bool = False) -> Iterator[str]:
    """The lines of rows in a form that is text; with `draws`, for a terminal, on which what they hold draws nothing."""
    name = shown if draws else str
    if output.form == "jsonl":
        for line in rows.values:
            told = orjson.dumps(dict(zip(rows.columns, line, strict=True))).decode()
            yield shown_json(told) if draws else told
    elif output.form == "markdown":
        yield _barred(rows.columns)
        yield _barred(["---" for _ in rows.columns], escape=False)
        for line in rows.values:
            yield _barred(["" if value is None else said(value) for value in line])
    else:
        separator = _SEPARATORS[output.form]
        yield separator.join(_quoted(name(column)) for column in rows.columns)
        for line in rows.values:
            cells = zip(rows.columns, line, strict=True)
            yield separator.join(
                output.null if value is None else _quoted(name(_told(column, said(value), output.null)))
                for column, value in cells
            )


def write(rows: Rows, output: Output) -> None:
    """Rows into a file: whole, or what was there before. Raises: `OutputFileFault`, `NullInRowsError`."""
    assert output.file is not None
    _laid(output.file, partial(into, rows, output))


def laid(content: bytes, file: Path) -> None:
    """Bytes into a file: whole, or what was there before. Raises: `OutputFileFault`."""

    def put(stream: BinaryIO) -> None:
        stream.write(content)

    _laid(file, put)


def _laid(file: Path, put: Callable[[BinaryIO], None]) -> None:
    half = file.parent / f".{file.name}.{os.getpid()}"
    try:
        if not file.name or (file.exists() and not file.is_file()):  # a folder, or `.`, which has no name
            raise UsageError(f"{file} is no file", mend="give a file: -o rows.csv")
        check_no_part(file)
        with half.open("xb") as stream:
            put(stream)
            stream.flush()
            os.fsync(stream.fileno())
        half.replace(file)
    except OSError as error:
        raise OutputFileFault(
            f"{file} cannot be written: {error.strerror or error}", mend="make room, or write elsewhere"
        ) from None
    finally:
        with suppress(OSError):
            half.unlink()


def into(rows: Rows, output: Output, stream: BinaryIO) -> None:
    """Rows into an open file, in their form."""
    if output.form == "parquet":
        from pyarrow import parquet

        parquet.write_table(rows.arrow(), stream, compression="zstd")
        return
    for line in text_of(rows, output):
        stream.write(line.encode() + b"\n")


def _told(column: str, text: str, null: str) -> str:
    if text == null:
        raise NullInRowsError(null, column)
    return text


def said(value: Plain) -> str:
    """A value as a text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return orjson.dumps(value).decode()


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _barred(cells: Sequence[str], *, escape: bool = True) -> str:
    return "| " + " | ".join(shown(cell).translate(_MARKS) if escape else cell for cell in cells) + " |"
