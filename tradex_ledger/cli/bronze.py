"""`tradex bronze`: posts that are known to be bad, held back and released; Bronze keeps them all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, as_of_option, command, examples, rows_options
from tradex_ledger.cli.groups import group
from tradex_ledger.cli.show import Show
from tradex_ledger.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from tradex_ledger.audit.head import AsOf
    from tradex_ledger.pipelines.x.quarantine import Effect
    from tradex_ledger.relations.held import Quarantined

_COLUMNS = ("quarantine", "state", "keys", "keys_released", "which", "reason", "quarantined_by", "quarantined_at")
_NEXT = "next: tradex run (it takes the notices of the days before today); at once: tradex backfill propose"
_SHOWN = 3
_LONGEST = 1 << 26


class UnknownQuarantineError(NotFoundError):
    """There is no such quarantine, or none yet."""

    code = "unknown-quarantine"

    def __init__(self, name: str, position: int) -> None:
        super().__init__(
            f"there is no quarantine {name!r} as of position {position}", mend="see those there are: tradex bronze list"
        )


@group(
    "bronze",
    epilog=examples('tradex bronze quarantine --batch run-1m83 --reason "spam redelivery, INC-7"\ntradex bronze list'),
)
def bronze() -> None:
    """Posts of Bronze that are known to be bad. Nothing is deleted."""


@command(
    bronze,
    "quarantine",
    example='tradex bronze quarantine 1742500000000000000 --reason "spam by a botnet, INC-7"\n'
    'tradex bronze quarantine --file ids.txt --reason "spam by a botnet, INC-7"\n'
    'tradex bronze quarantine --batch run-1m83 --reason "the feed was replayed with ads in it, INC-7"',
)
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--file", type=click.Path(path_type=Path), help="More ids, one a line.")
@click.option(
    "--batch", "batches", multiple=True, metavar="RUN|POSITION", help="What a run, or one batch of it, appended."
)
@click.option("--reason", required=True, help="Why: it stays on record.")
def quarantine(call: Call, ids: tuple[str, ...], file: Path | None, batches: tuple[str, ...], reason: str) -> None:
    """Hold posts back: Silver and Gold leave them out from the next run on, until they are released.

    A post that is named is held back whole, whatever is delivered of it later. Of a batch the very deliveries are that
    it appended: what earlier batches have of the same posts counts again. The pipeline must have a dataset of
    retractions, as examples/retractions does.
    """
    from tradex_ledger.pipelines.x.quarantine import quarantine as hold
    from tradex_ledger.pipelines.x.quarantine import quarantine_batches

    named = [*ids, *(_ids_in(file) if file is not None else ())]
    if bool(named) == bool(batches):
        raise click.UsageError("Name posts (ID…, --file), or batches (--batch).")
    with call.open() as workspace:
        if batches:
            held = quarantine_batches(workspace, batches, reason=reason)
        else:
            held = hold(workspace, named, reason=reason)
    facts = {
        "quarantine": held.quarantine.id,
        "posts": held.posts,
        "keys": held.keys,
        "shared": held.shared,
        "dropped": held.dropped,
    }
    call.result(facts, lambda show, _: show.line(f"{held.posts} posts are held back: {held.quarantine.id}"))
    if batches:
        call.show.note(
            f"{held.shared} of them have another delivery by an earlier batch, which counts again; "
            f"{held.dropped} deliveries were dropped then, since Bronze had their very keys: those stay"
        )
    call.show.note(_NEXT)


@command(
    bronze,
    "release",
    example='tradex bronze release quar-1m83q4h2zk7c0 --reason "the author is no bot, INC-7"\n'
    'tradex bronze release quar-1m83q4h2zk7c0 1742500000000000000 --reason "a real post, INC-7"',
)
@click.argument("quarantine_id", metavar="QUARANTINE")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@click.option("--file", type=click.Path(path_type=Path), help="More ids, one a line.")
@click.option("--reason", required=True, help="Why: it stays on record.")
def release(call: Call, quarantine_id: str, ids: tuple[str, ...], file: Path | None, reason: str) -> None:
    """Let go of posts that are held back; without ids of all that are left. Silver and Gold have them from the next run
    on, unless another quarantine holds them back."""
    from tradex_ledger.pipelines.x.quarantine import release as let_go

    with call.open() as workspace:
        freed = let_go(workspace, quarantine_id, [*ids, *(_ids_in(file) if file is not None else ())], reason=reason)
    facts = {"quarantine": freed.quarantine.id, "released": freed.posts, "left": freed.left}
    call.result(facts, lambda show, _: show.line(f"{len(freed.posts)} posts are released; {freed.left} are held back"))
    call.show.note(_NEXT)


@command(bronze, "list", example="tradex bronze list\ntradex bronze list quar-1m83q4h2zk7c0 --as-of 2026-01-10")
@click.argument("quarantine_id", metavar="[QUARANTINE]", required=False)
@as_of_option
@rows_options
def list_(call: Call, quarantine_id: str | None, as_of: str | None) -> None:
    """What is held back, and was: who said so, why, which posts or batches; one quarantine with what came of it."""
    from tradex_ledger.pipelines.x.quarantine import effect, quarantines

    if quarantine_id is None:
        look = call.look()
        call.answer(look, as_of, lambda at: quarantines(look, at), _listed)
        return
    with call.open(reading=True) as workspace:
        look = workspace.audit.look

        def ask(at: AsOf) -> dict[str, object]:
            found = next((one for one in quarantines(look, at) if one.quarantine == quarantine_id), None)
            if found is None:
                raise UnknownQuarantineError(quarantine_id, at.position)
            return _whole(found, effect(workspace, found, at))

        call.answer(look, as_of, ask, lambda show, facts: show.facts(facts))


def _listed(show: Show, found: list[Quarantined]) -> None:
    show.rows(found, _COLUMNS, which=[_which(one) for one in found])


def _which(one: Quarantined) -> str:
    """Which rows those are, in few words."""
    what, names = ("batch", [str(at) for at in one.batches]) if one.batches else ("", one.rows)
    return f"{what} {', '.join(names[:_SHOWN])}{' …' if len(names) > _SHOWN else ''}".strip()


def _whole(one: Quarantined, found: Effect) -> dict[str, object]:
    return {**one._asdict(), "notices_taken": found.taken, "delivered_again": found.again}


def _ids_in(file: Path) -> list[str]:
    """The ids of a file."""
    try:
        if file.stat().st_size > _LONGEST:
            raise UsageError(f"{file} is longer than {_LONGEST} bytes", mend="give the ids in several files")
        return [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", mend="give a file with one id a line, in UTF-8") from None
