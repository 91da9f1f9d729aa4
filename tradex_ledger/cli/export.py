"""From what a command shows to rows in a form that other programs read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from tradex_ledger.cli.cells import plain
from tradex_ledger.cli.formats import Output, Rows, into, said, text_of, write
from tradex_ledger.errors import UsageError

if TYPE_CHECKING:
    from pyarrow import Table


def export(
    columns: Sequence[str],
    values: Sequence[Sequence[object]],
    types: Sequence[str] | None,
    output: Output,
    out: TextIO,
) -> None:
    """Rows to where they are wanted. Raises: `OutputFileFault`, `NullInRowsError`, `UsageError`."""

    def arrow() -> Table:
        from tradex_ledger.audit.arrow import table

        return table(columns, values, lambda value: said(plain(value)), types)

    rows = Rows(columns, [[plain(value) for value in line] for line in values], arrow)
    if output.file is not None:
        write(rows, output)
    elif output.form == "parquet":
        if out.isatty():
            raise UsageError("Parquet is nothing for a terminal", mend="write it into a file: -o rows.parquet")
        into(rows, output, out.buffer)
        out.buffer.flush()
    elif out.isatty():
        for line in text_of(rows, output, draws=True):
            out.write(line + "\n")
    else:
        out.flush()
        into(rows, output, out.buffer)  # as UTF-8, and with no other ends of lines, whatever the terminal's encoding
        out.buffer.flush()
