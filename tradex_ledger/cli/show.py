"""The only place that prints: tables and progress on a terminal, plain text in a pipe, one document with `--json`.

Whatever is printed, posts, reasons, names, paths and errors among it, draws nothing: see `cli/escape.py`.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TextIO, TypeVar

import orjson

from tradex_ledger.cli.bars import BARS
from tradex_ledger.cli.cells import cell, plain
from tradex_ledger.cli.escape import clipped, masked, shown, shown_json
from tradex_ledger.cli.loudness import LOUDNESS
from tradex_ledger.cli.stages import Progress, laid, stage_lines
from tradex_ledger.cli.terminal import is_drawn_on, is_unicode, size_of
from tradex_ledger.errors import EnvironmentFault, TradexError

if TYPE_CHECKING:
    from tradex_ledger.cli.formats import Output

D = TypeVar("D")
Facts = dict[str, object]
"""Names and values for people."""


class OutputFault(EnvironmentFault):
    """What was to be said could not be written."""

    code = "output"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the output cannot be written: {reason}",
            mend="what was done is on record; make room, or send the output elsewhere, and ask again",
        )


class Show:
    """Prints results to stdout and everything about them to stderr."""

    def __init__(
        self, *, as_json: bool, output: Output | None = None, out: TextIO | None = None, err: TextIO | None = None
    ) -> None:
        self.as_json = as_json
        self.output = output
        self._exported = False
        self.out = out or sys.stdout
        self.err = err or sys.stderr

    def begin(self, name: str, deed: str) -> None:
        """A call of a command begins: on a terminal that is quiet for long, that is what it does."""
        if not self.as_json and not LOUDNESS.is_quiet and self.err.isatty():
            BARS.watch(self.err, name, shown(deed))

    def result(self, document: D, layout: Callable[[Show, D], object]) -> None:
        """A document: with `--json` as that, else as its layout has it."""
        self.either(lambda: document, lambda: layout(self, document))

    def either(self, document: Callable[[], object], said: Callable[[], object]) -> None:
        """With `--json` a document, else what is said instead. Nothing else decides between the two."""
        if not self.as_json:
            said()
            return
        from tradex_ledger.audit.documents.form import to_json

        self.document(to_json(document()))

    def document(self, value: object) -> None:
        """One JSON document (with `--json`, the only thing on stdout)."""
        text = orjson.dumps(plain(value), option=orjson.OPT_INDENT_2).decode()
        self._put(self.out, shown_json(text, ascii_only=not is_unicode(self.out)))

    def note(self, text: str) -> None:
        """Something to know, beside the result."""
        if not self.as_json and not LOUDNESS.is_quiet:
            self._write(self.err, text)

    def detail(self, text: str) -> None:
        """What is done, or why, for who asked to hear it (`-v`), with how long the call has taken."""
        if LOUDNESS.is_verbose:
            self._write(self.err, f"{LOUDNESS.elapsed_s():7.3f} s  {text}")

    def warning(self, text: str) -> None:
        """Something that could mislead; said even beside a document, but for who asked for errors only."""
        if not LOUDNESS.is_quiet:
            self._write(self.err, f"warning: {text}")

    def line(self, text: str = "", *, whole: bool = False) -> None:
        """A line of the result; of rows in another form it is no part. `whole`: it is to be copied as it is."""
        if not self.as_json and self.output is None:
            self._write(self.out, text, whole=whole)

    def lines(self, text: str) -> None:
        """A text of several lines, each to be copied as it is."""
        for line in text.splitlines():
            self.line(line, whole=True)

    def table(
        self, rows: Sequence[Mapping[str, object]], columns: Sequence[str], *, title: str = "", exact: bool = False
    ) -> None:
        """Rows under headings: drawn on a terminal, tab-separated in a pipe, or in the form that was asked for."""
        values = [[row.get(column) for column in columns] for row in rows]
        if self.output is not None:
            self.export(columns, values, title=title)
        elif not self.as_json:
            lines = [[cell(value, exact=exact) for value in line] for line in values]
            self._drawn(columns, lines, values, title, exact)

    def _drawn(
        self,
        columns: Sequence[str],
        lines: Sequence[Sequence[str]],
        values: Sequence[Sequence[object]],
        title: str,
        exact: bool,
    ) -> None:
        if not self.out.isatty():
            self._put(self.out, "\n".join("\t".join(map(shown, line)) for line in [columns, *lines]))
            return
        from tradex_ledger.cli.drawn import draw

        BARS.end()
        with BARS.aside(), told():
            left_out = draw(columns, lines, values, title, exact, self.out)
        if left_out:
            self.note(f"left out for want of room: {', '.join(left_out)}; see all: --json, --format csv")

    def export(
        self,
        columns: Sequence[str],
        values: Sequence[Sequence[object]],
        *,
        types: Sequence[str] | None = None,
        title: str = "",
    ) -> None:
        """The rows in the form that was asked for; what stands beside them (with a `title`) is left out and counted.

        `types`: what DuckDB calls those of the columns.
        """
        from tradex_ledger.cli.export import export

        if title or self._exported:
            self.note(f"left out of the {self.output and self.output.form}: {title or 'a table'} ({len(values)} rows)")
            return
        self._exported = True
        BARS.end()
        assert self.output is not None
        with BARS.aside(), told():
            export(columns, values, types, self.output, self.out)

    def rows(
        self, rows: Sequence[object], columns: Sequence[str], title: str = "", /, **more: Sequence[object]
    ) -> None:
        """Values under headings that name their fields; columns that they do not have come beside them."""
        found = [
            {name: more[name][n] if name in more else getattr(row, name) for name in columns}
            for n, row in enumerate(rows)
        ]
        self.table(found, columns, title=title)

    def facts(self, facts: Mapping[str, object]) -> None:
        """Names and values, one a line; what has no value is left out. On a terminal digests are short, and what is
        longer than a line goes on below itself."""
        said = {shown(name): cell(value) for name, value in facts.items() if value not in (None, "", [], {})}
        if said and self.out.isatty():
            from tradex_ledger.cli.drawn import beside

            for line in beside(said, size_of(self.out)[0]):
                self.line(line)
            return
        width = max((len(name) for name in said), default=0)
        for name, text in said.items():
            self.line(f"{name:<{width}}  {text}")

    def error(self, error: TradexError) -> None:
        """What went wrong, and what mends it; with `--json` also as the document."""
        self._write(self.err, f"error: {error.message}")
        for note in getattr(error, "__notes__", []):
            self._write(self.err, f"note: {note}")
        if error.mend:
            self._write(self.err, f"mend: {error.mend}")
        if self.as_json:
            said = {"message": clipped(masked(error.message)), "mend": clipped(masked(error.mend))}
            self.document({"error": {"code": error.code, **said}})

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A progress callback: bars on a terminal, in a pipe a line for each run and each stage, none with `--json`."""
        if self.as_json or LOUDNESS.is_quiet:
            yield lambda *_: None
        elif is_drawn_on(self.err):
            try:
                yield partial(BARS.tell, self.err)
            finally:
                BARS.end()
        else:
            yield stage_lines(partial(self._write, self.err))

    def _write(self, stream: TextIO | None, text: str, *, whole: bool = False) -> None:
        """One line, whatever the text holds; what is said beside the result holds no password."""
        line = shown(clipped(masked(text)) if stream is self.err else text)
        self._put(stream, line if whole or stream is None else laid(line, stream))

    def _put(self, stream: TextIO | None, text: str) -> None:
        """A text that draws nothing as it is."""
        if stream is None:
            raise OutputFault("standard output is closed")
        if stream is self.err:
            with BARS.aside(), suppress(OSError):  # nobody hears it, and there is nobody to say that to
                stream.write(text + "\n")
                stream.flush()
            return
        BARS.end()
        with BARS.aside(), told():
            stream.write(text + "\n")
            stream.flush()


@contextmanager
def told() -> Iterator[None]:
    """Raises what a failed write means. A reader that has gone is no fault: that is `BrokenPipeError`, as it was."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        full = "the disk is full: " if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise OutputFault(f"{full}{error.strerror or error}") from None
