"""`tradex`: the groups, loaded when they are used, and the one boundary where errors become text and exit status."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import re
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import BufferedWriter, RawIOBase, TextIOWrapper
from typing import Any, TextIO

import click

from tradex_ledger import __version__, slow
from tradex_ledger.cli.bars import BARS
from tradex_ledger.cli.commands import COMMANDS
from tradex_ledger.cli.common import COMPLETE, Call, common_options
from tradex_ledger.cli.faults import Unforeseen, check_memory, has_lacked_memory, keep_quiet
from tradex_ledger.cli.groups import Group
from tradex_ledger.cli.loudness import LOUDNESS
from tradex_ledger.cli.show import OutputFault, Show
from tradex_ledger.cli.signals import interruption, text
from tradex_ledger.errors import EnvironmentFault, TradexError, UsageError
from tradex_ledger.paths import readable

# What has words of its own below; the rest is a fault of the program.
_KNOWN = (TradexError, click.ClickException, click.exceptions.Exit, click.Abort, EOFError, RuntimeError, OSError)
_GARBAGE = (50_000, 20, 100)  # a call makes many objects that live to its end: to look through them is a tenth of it
_TELLS_ABOUT_ITSELF = {"--help", "-h", "--version"}
_SIZES = ("COLUMNS", "LINES", "JUPYTER_COLUMNS", "JUPYTER_LINES")


class LazyGroup(Group):
    """A group whose commands are imported when they are called: `tradex --version` loads no database."""

    def main(self, args: Sequence[str], prog_name: str, **extra: Any) -> object:  # type: ignore[override]  # click's own takes more ways to be called
        """Run the command and hand back its result. Click's own ends with 1 when the reader of the output has gone."""
        if os.environ.get(COMPLETE):
            try:
                return super().main(args, prog_name, complete_var=COMPLETE, **extra)
            except SystemExit as end:
                if not end.code:
                    raise
            except (KeyError, ValueError, IndexError):  # click takes for granted what a shell gives
                pass
            raise UsageError(
                f"{COMPLETE} is set, and asks for no completion that there is",
                mend=f'unset it; in a shell: eval "$({COMPLETE}=bash_source tradex)"',
            )
        with self.make_context(prog_name, list(args)) as context:
            return self.invoke(context)

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(
    "tradex",
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": None},
    epilog="""\b
Example:
  tradex demo
  tradex init ws --source files:posts
  tradex -C ws run
  tradex -C ws backfill request temporal bronze --from 2014-02-03 --to 2014-02-08 \\
      --no-override-state --reason "X API outage, INC-4211"

\b
Shell completion:
  eval "$(_TRADEX_COMPLETE=bash_source tradex)"     (or zsh_source, fish_source)""",
)
@common_options
@click.version_option(__version__, prog_name="tradex", message="%(prog)s %(version)s")
@click.pass_context
def cli(
    ctx: click.Context,
    workspace: str | None,
    actor: str | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    no_pager: bool,
) -> None:
    """Reprocess history without fear: every run is on record, nothing is visible unless an event says so."""
    who = os.environ.get("TRADEX_ACTOR") or None if actor is None else actor
    LOUDNESS.take(quiet=quiet, verbose=verbose, no_pager=no_pager)
    ctx.obj = Call(workspace or os.environ.get("TRADEX_WORKSPACE"), who, as_json)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with its exit status."""
    _prepare_streams()
    keep_quiet()
    status = run(list(sys.argv[1:] if arguments is None else arguments))
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:  # it was said where it could be; at the end there is nobody to say it to
            _drop(stream)
    if has_lacked_memory() or _is_engine_left_behind():
        os._exit(status)  # all was said
    sys.exit(status)


def _is_engine_left_behind() -> bool:
    """Whether the engine goes on with what nobody waits for: to take it down would be to wait for it."""
    sandbox = sys.modules.get("tradex_ledger.datasets.sandbox")
    return sandbox is not None and bool(sandbox.is_left_behind())


def run(arguments: list[str]) -> int:
    """Run one call and return its exit status: 0 done, 1 findings, 2 usage, 3 refused, 4 not found, 5 conflict,
    6 environment, 7 broken ledger, 70 a fault of the program, 130 interrupted (129 by SIGHUP, 143 by SIGTERM)."""
    gc.set_threshold(*_GARBAGE)
    show = Show(as_json="--json" in arguments)
    LOUDNESS.begin()
    try:
        with slow.listen(show.note, BARS.doing, show.detail), BARS.until_the_end(), Unforeseen(arguments, ()):
            status = _handled(arguments, show)
            keyed = sys.modules.get("tradex_ledger.keyed")  # where nobody needed it, nothing was missed
            for reason in keyed.missed() if keyed else ():
                show.warning(f"answers are computed without the caches of this user: {reason}")
            return status
    except TradexError as error:
        return _said(show, error)


def _handled(arguments: list[str], show: Show) -> int:
    """Run one call, with the words for all that may go wrong."""
    try:
        with Unforeseen(arguments, _KNOWN):
            return _call(arguments)
    except TradexError as error:
        return _said(show, error)
    except click.ClickException as error:
        return _said(show, _misuse(show, error))
    except click.exceptions.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, EOFError, click.Abort):
        return _interrupted(show)
    except RuntimeError as error:
        if str(error) != "Query interrupted":  # how DuckDB tells of a Ctrl-C
            raise
        return _interrupted(show)
    except BrokenPipeError:
        # The reader has gone (`tradex audit log | head`): nothing more to say, and nothing to say it to.
        _drop(sys.stdout)
        return 0
    except OSError as error:
        return _said(show, _fault_of(error))


def _call(arguments: list[str]) -> int:
    if sys.stdout is None:
        raise OutputFault("standard output is closed")
    for argument in arguments:
        if readable(argument) != argument:
            raise UsageError(
                f"{readable(argument)} is not valid UTF-8",
                mend="write it in UTF-8; a folder or file whose name is not has to be renamed",
            )
    if not _TELLS_ABOUT_ITSELF.intersection(arguments):
        check_memory()
    result = cli.main(arguments, prog_name="tradex", standalone_mode=False)
    return result if isinstance(result, int) else 0


def _misuse(show: Show, error: click.ClickException) -> UsageError:
    """What was wrong with a call. Of a group alone its help is shown, in lines."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "tradex"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        for line in error.format_message().splitlines():
            show.note(line)
        return UsageError("a command is missing", mend=f"choose one of those: {path} COMMAND")
    return UsageError(error.format_message(), mend=f"{path} --help" if isinstance(error, click.UsageError) else "")


def _fault_of(error: OSError) -> TradexError:
    """What the system refused: room, rights, a name that is too long."""
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EnvironmentFault(f"the disk is full: {where}{error.strerror}", mend="make room, and ask again")
    return EnvironmentFault(f"the system refused: {where}{error.strerror or error}", mend="mend that, and ask again")


def _said(show: Show, error: TradexError) -> int:
    """Say what went wrong, as far as that can be said; its exit status is what counts."""
    if interruption.number is not None:  # what an interruption led to is no finding
        return _interrupted(show)
    if isinstance(error, OutputFault):
        _drop(sys.stdout)
    try:
        show.error(error)
    except (BrokenPipeError, OutputFault):
        _drop(sys.stdout)
    return error.exit_status


def _interrupted(show: Show) -> int:
    interruption.was_said = True
    said = text(interruption.number or signal.SIGINT)
    if show.as_json:
        with suppress(BrokenPipeError, OutputFault):
            show.document({"error": {"code": "interrupted", "message": said, "mend": "run the same command again"}})
    Show(as_json=False).note(said)
    return interruption.status


def _prepare_streams() -> None:
    """Streams that take what is said, and a width that they can have.

    A file must not get the number of a stream that was closed when we were started: it would be printed into.
    """
    for name in _SIZES:  # what draws tables believes all digits that there are, and any number of them
        if not re.fullmatch("[1-9][0-9]{0,3}", os.environ.get(name, "80")):
            del os.environ[name]
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process lives
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, TextIOWrapper):
            setattr(sys, name, _whole(stream))
            if getattr(sys, f"__{name}__") is stream:  # it is asked how wide the terminal is
                setattr(sys, f"__{name}__", getattr(sys, name))


def _whole(stream: TextIOWrapper) -> TextIOWrapper:
    """The stream as one that takes every character, and says so when it has not taken all.

    Without a buffer (PYTHONUNBUFFERED) Python drops what a full disk did not take, and says nothing.
    """
    encoding = stream.encoding if _takes_all(stream.encoding) else "utf-8"
    if isinstance(stream.buffer, RawIOBase):
        raw = stream.detach()
        assert isinstance(raw, RawIOBase)
        return TextIOWrapper(BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=True)
    stream.reconfigure(encoding=encoding, errors="backslashreplace")
    return stream


def _takes_all(encoding: str) -> bool:
    """Whether every character can be written in it, one way or other: not in `idna`, say (PYTHONIOENCODING)."""
    try:
        "a\n\u20ac\U0001f600..".encode(encoding, "backslashreplace")
    except (UnicodeError, LookupError):
        return False
    return True


def _drop(stream: TextIO | None) -> None:
    """What is still to be written there goes nowhere: who asks for it is gone, or has no room for it."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
