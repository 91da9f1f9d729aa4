"""`tradex backfill approve` and `reject`: a person decides on a plan that is shown first, and may sign that."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, TypeVar

import click

from tradex_ledger.cli.bars import BARS
from tradex_ledger.cli.common import Call
from tradex_ledger.cli.layouts.run import shown, shown_shortly
from tradex_ledger.domain.signing import APPROVE, NAMESPACE, SignedText
from tradex_ledger.errors import TradexError

if TYPE_CHECKING:
    from tradex_ledger.workspace import Workspace
    from tradex_ledger.workspace.approvals import Handed

F = TypeVar("F", bound=Callable[..., object])
PASSPHRASE = "TRADEX_KEY_PASSPHRASE"


@dataclass(frozen=True, slots=True)
class Signing:
    """How a decision is signed, as the options say: its text is printed to a file, or signed here with the key of a
    file, or text and signature are handed in; or it is not signed at all."""

    print_text: Path | None
    sign: Path | None
    signature: Path | None
    text: Path | None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.print_text, self.sign, self.signature)) > 1:
            raise click.UsageError("Give one of --print-text, --sign and --signature.")
        if self.text is not None and self.signature is None:
            raise click.UsageError("--text goes with --signature.")


def signing_options(function: F) -> F:
    """The options of a decision that may be signed."""
    kind = click.Path(path_type=Path)
    for option in (
        click.option("--text", type=kind, metavar="FILE", help="The text that was signed (else: FILE of FILE.sig)."),
        click.option("--signature", type=kind, metavar="FILE.sig", help="What ssh-keygen -Y sign made of the text."),
        click.option("--sign", type=kind, metavar="KEYFILE", help="Sign here, with your SSH key."),
        click.option("--print-text", type=kind, metavar="FILE", help="Only write the text to be signed to a new file."),
    ):
        function = option(function)
    return function


@dataclass(frozen=True, slots=True)
class Look:
    """What a person is shown before the decision: as of which position, and which plan."""

    run_id: str
    position: int
    plan_digest: str | None


def show_first(call: Call, workspace: Workspace, prefix: str, decision: str, *, among: int = 1) -> Look:
    """Show what is decided on, as of the newest position; a program, which asks for one document, is shown the last.

    Of one among several only what was asked for, and its effects.

    Raises what showing it raises: nobody approves what cannot be seen. To say no, it suffices to know that it cannot.
    """
    position, run_id = workspace.ledger.position(), workspace.backfills.find(prefix)
    if call.as_json:
        return Look(run_id, position, None)
    try:
        document = workspace.audit.run(run_id, str(position))
    except TradexError as error:
        if decision == APPROVE:
            raise
        call.show.warning(f"{run_id} cannot be shown: {error.message}")
        return Look(run_id, position, None)
    (shown if among == 1 else shown_shortly)(call.show, document)
    call.show.line()
    return Look(run_id, position, document.plan.digest if document.plan else None)


def print_text(call: Call, workspace: Workspace, look: Look, decision: str, file: Path) -> None:
    """Write the text of a decision to a file, which must not be there; nothing is recorded."""
    said = workspace.backfills.text(look.run_id, decision, seen=look.position)
    then = "" if decision == APPROVE else " --reason …"
    write_text(call, workspace, said, file, f"tradex backfill {decision} {look.run_id}", then)


def write_text(call: Call, workspace: Workspace, said: SignedText, file: Path, command: str, then: str = "") -> None:
    """The same of any text; `command` is what it is handed in to."""
    workspace.backfills.approvals.write(said, file)
    document = {"text": said.text, "file": str(file), "expires": said.expires}
    call.result(document, lambda show, _: show.line(f"the text is in {file}; it counts until {said.expires}"))
    call.show.note(
        f"next: ssh-keygen -Y sign -n {NAMESPACE} -f KEYFILE {quote(str(file))}, "
        f"then: {command} --signature {quote(f'{file}.sig')}{then}"
    )


def handed(workspace: Workspace, look: Look, decision: str, signing: Signing) -> Handed | None:
    """The text and its signature, made here or handed in; None without one."""
    return handed_over(workspace, lambda: workspace.backfills.text(look.run_id, decision, seen=look.position), signing)


def handed_over(workspace: Workspace, text_of: Callable[[], SignedText], signing: Signing) -> Handed | None:
    """The same of any text, which is made where it is signed here."""
    if signing.sign is not None:
        return workspace.backfills.sign(text_of(), signing.sign, _passphrase)
    if signing.signature is None:
        return None
    text = signing.text
    if text is None:
        if signing.signature.suffix != ".sig":
            raise click.UsageError("Give --text, too: the file of the text that was signed.")
        text = signing.signature.with_suffix("")
    return workspace.backfills.approvals.read(text, signing.signature)


def _passphrase() -> str | None:
    """That of a key: of the environment, or asked for on the terminal; None where nobody can be asked."""
    if (given := os.environ.get(PASSPHRASE)) is not None:
        return given
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    with BARS.rest():
        return str(click.prompt("Passphrase of the key", hide_input=True, err=True))
