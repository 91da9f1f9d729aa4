"""Options that every command takes, and the way from a command to a workspace."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from tradex_ledger.cli.days import UNTIL
from tradex_ledger.cli.groups import group as new_group
from tradex_ledger.cli.loudness import LOUDNESS
from tradex_ledger.cli.show import Show
from tradex_ledger.errors import BrokenLedgerError, UsageError

if TYPE_CHECKING:
    from tradex_ledger.audit.head import AsOf
    from tradex_ledger.audit.look import Look
    from tradex_ledger.cli.formats import Output
    from tradex_ledger.config import Config
    from tradex_ledger.workspace import Workspace
    from tradex_ledger.workspace.core import Options

FORMATS = ("table", "csv", "tsv", "jsonl", "parquet", "markdown")
NULL = r"\N"
COMPLETE = "_TRADEX_COMPLETE"
"""Set by a shell that asks how a word goes on."""
DECLARED = frozenset({"override_state"})
"""Options without a default that are declared, whichever way; who forgets one among others is told of it, too."""
D = TypeVar("D")
F = TypeVar("F", bound=Callable[..., object])


@dataclass
class Call:
    """What was said before and after the command's name: where, who, and how to show."""

    workspace: str | None = None
    actor: str | None = None
    as_json: bool = False
    output: Output | None = None
    is_broken: bool = False
    """An answer was shown of a ledger whose tree does not hold: that is no success."""

    @property
    def show(self) -> Show:
        """Where this call prints."""
        return Show(as_json=self.as_json, output=self.output)

    def open(
        self,
        *,
        reading: bool = False,
        records: bool = True,
        says_policy: bool = True,
        tolerates: tuple[str, ...] = (),
    ) -> Workspace:
        """The workspace that is meant; for commands that only read, one in which nothing can be written.

        Where its settings propose another policy than the one on record, that is said. `records`: whether anything is
        to be put on record. `tolerates`: codes of what may be wrong between ledger and lake, for what mends just that.
        """
        from tradex_ledger.workspace import Workspace

        how: Options = {"actor": self.actor, "reading": reading, "records": records}
        opened = Workspace.open(self.workspace or ".", tolerates=tolerates, **how)
        self._tell(opened.config)
        self.show.detail(f"acts as {opened.actor} ({'the login name' if self.actor is None else 'named'})")
        if not reading:
            self.warn_of_modes(opened)
        look = opened.audit.look
        wrong = [*(look.strange() if reading or tolerates else ()), *(look.unrecorded() if says_policy else ())]
        for text in wrong:
            self.show.warning(text)
        return opened

    def warn_of_modes(self, workspace: Workspace) -> None:
        """Say what others can do with the workspace that they should not."""
        from tradex_ledger.modes import exposures

        for text in (*exposures(workspace.config), *workspace.core.lake.exposed()):
            self.show.warning(text)

    def look(self) -> Look:
        """The ledger of that workspace, to be asked: without what runs things, which loads slowly."""
        from tradex_ledger.audit.look import Look

        found = Look.open(self.workspace or ".")
        self._tell(found.config)
        for text in (*found.strange(), *found.unrecorded()):
            self.show.warning(text)
        return found

    def _tell(self, config: Config) -> None:
        """Say where it is worked, and why there, to who wants to hear it."""
        why = "found here or above" if self.workspace is None else f"named: {self.workspace}"
        self.show.detail(f"the workspace {config.folder} ({why})")
        self.show.detail(f"its ledger {config.ledger_url}, its lake {config.lake}")

    def result(self, document: D, layout: Callable[[Show, D], object], *, pages: bool = False) -> None:
        """Show a document: see `Show.result`. `pages`: where it answers a question, and may be long."""
        show = self.show
        with self._paged(show, pages=pages):
            show.result(document, layout)

    def _paged(self, show: Show, *, pages: bool = True) -> AbstractContextManager[None]:
        if not pages or not show.out.isatty():
            return nullcontext()
        from tradex_ledger.cli.pager import paged

        return paged(show)

    def answer(self, look: Look, as_of: str | None, ask: Callable[[AsOf], D], layout: Callable[[Show, D], object]) -> D:
        """Ask as of what was said for it, and show the answer with where it stands: in the document, or in a line."""
        show, at = self.show, look.at(as_of)
        stated = look.stated(found := ask(at), at)

        def said() -> None:
            layout(show, found)
            show.note(stated.head.in_words)

        with self._paged(show):
            show.either(lambda: stated, said)
        if stated.head.problem is not None:
            show.warning("the ledger is broken, whatever of it was asked: tradex audit verify")
            self.is_broken = True
        return found

    def either(self, document: Callable[[], object], said: Callable[[], object]) -> None:
        """Show a document, or say something instead: see `Show.either`."""
        self.show.either(document, said)


class Whole(click.Command):
    """A command that says at once what is missing of a call, and not one thing after another."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = [*args]
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter as error:
            values = self.make_parser(ctx).parse_args(args=given)[0]
            missing = [
                parameter.get_error_hint(ctx)
                for parameter in self.get_params(ctx)
                if (parameter.required or parameter.name in DECLARED) and parameter.name not in values
            ]
            if len(missing) < 2:
                raise
            raise click.UsageError(f"Missing: {'; '.join(missing)}.", ctx) from error


def common_options(function: F) -> F:
    """The options that stand before a command's name or after it."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option("--as", "actor", metavar="NAME", help="Who acts (TRADEX_ACTOR; else the login name)."),
        click.option("-C", "--workspace", metavar="DIR", help="The workspace (TRADEX_WORKSPACE; else found upwards)."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but results and errors."),
        click.option("-v", "--verbose", is_flag=True, help="Say more of what is done, and why."),
        click.option("--no-pager", is_flag=True, help="Never ask a pager to show what is longer than the screen."),
    ):
        function = option(function)
    return function


def deed(context: click.Context) -> str:
    """What a command does, for who waits for it: how its help begins."""
    sentence = " ".join((context.command.help or "").split("\n\n")[0].split()).split(". ")[0].rstrip(".")
    return f"{sentence[:1].lower()}{sentence[1:]}"


def examples(text: str) -> str:
    """How the help of a command, or of a group, ends."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in text.strip().splitlines())


def command(group: click.Group, name: str, *, example: str) -> Callable[[Callable[..., object]], click.Command]:
    """Add a command: it takes the common options and is given the `Call` first; its help ends in an example."""

    def decorate(function: Callable[..., object]) -> click.Command:
        made = click.command(name, epilog=examples(example), cls=Whole)(common_options(_called(function)))
        group.add_command(made)
        if os.environ.get(COMPLETE):
            from tradex_ledger.cli.complete import complete

            complete(made, str(group.name))
        return made

    return decorate


def grouped(group: click.Group, name: str, *, example: str) -> Callable[[Callable[..., object]], click.Group]:
    """Add a command likewise that has others below it: without the name of one it is called itself."""

    def decorate(function: Callable[..., object]) -> click.Group:
        made: click.Group = new_group(name, invoke_without_command=True, epilog=examples(example))(
            common_options(_called(function))
        )
        group.add_command(made)
        return made

    return decorate


def _called(function: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(function)
    def invoke(
        *,
        workspace: str | None,
        actor: str | None,
        as_json: bool,
        quiet: bool,
        verbose: bool,
        no_pager: bool,
        **values: object,
    ) -> object:
        context = click.get_current_context()
        call = context.ensure_object(Call)
        LOUDNESS.take(quiet=quiet, verbose=verbose, no_pager=no_pager)
        call.workspace = workspace or call.workspace
        call.actor = call.actor if actor is None else actor
        call.as_json = as_json or call.as_json
        if context.invoked_subcommand is not None:
            return None
        call.show.begin(context.command_path.partition(" ")[2], deed(context))
        result = function(call, **values)
        return BrokenLedgerError.exit_status if call.is_broken else result

    return invoke


def as_of_option(function: F) -> F:
    """`--as-of`, for everything that answers a question."""
    return click.option(
        "--as-of",
        type=UNTIL,
        metavar="POSITION|TIME|RUN|FILE",
        help="Answer as of a position, a day or time (UTC), a run (ID: its last event, ID^: before) or a checkpoint.",
    )(function)


def rows_options(function: Callable[..., object]) -> Callable[..., object]:
    """`--format`, `-o` and `--null`, for everything that shows rows; the command is given them in its call."""

    @functools.wraps(function)
    def invoke(call: Call, *, form: str | None, file: Path | None, null: str, **values: object) -> object:
        if form is not None or file is not None:
            from tradex_ledger.cli.formats import output_of

            if call.as_json:
                raise UsageError("one form at a time: --json, or --format and -o", mend="--format jsonl, for rows")
            call.output = output_of(form, file, null)
        return function(call, **values)

    for option in (
        click.option("--null", metavar="TEXT", default=NULL, show_default=True, help="What NULL is in CSV and TSV."),
        click.option(
            "-o", "--output", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write the rows there."
        ),
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMATS),
            help="The form of the rows; else what the name of FILE ends with says.",
        ),
    ):
        invoke = option(invoke)
    return invoke


def check_only_looks(as_of: str | None, *others: object) -> None:
    """Raise where `--as-of` stands beside what changes something: the past is looked at, and no more."""
    if as_of is not None and any(other is not None and other != () for other in others):
        raise click.UsageError("--as-of is for looking: what is put on record is so now. Leave one of them out.")


def no_verify_option(function: F) -> F:
    """`--no-verify`, for everything that answers from files of the lake."""
    return click.option(
        "--no-verify",
        is_flag=True,
        help="Believe the files of the lake: a damaged one then gives wrong rows, or none. The answer says so.",
    )(function)
