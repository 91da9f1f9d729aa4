"""`tradex dataset diff`: what an edited definition, or a version of one, changes in the text and in the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tradex_ledger.cli.common import Call, command
from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.texts import TextsDocument

_dataset = click.Group()


@command(_dataset, "diff", example="tradex dataset diff gold_signals\ntradex dataset diff gold_signals --versions 1 2")
@click.argument("name", metavar="DATASET")
@click.option("--versions", type=int, nargs=2, metavar="OLDER NEWER", help="Two versions; else the file and its own.")
def diff(call: Call, name: str, versions: tuple[int, int] | None) -> int:
    """How the file of DATASET differs from its current version, or one version from another: text, columns, logic.

    Nothing is run and nothing recorded. Exit 1 where anything differs, be it a comment.
    """
    with call.open(reading=True) as workspace:
        found = workspace.datasets.compare(name, versions)
    call.result(found, _texts, pages=True)
    return 1 if found.differs else 0


def _texts(show: Show, found: TextsDocument) -> None:
    for line in found.lines:
        show.line(line, whole=True)
    if found.lines:
        show.line()
    show.facts(
        {
            "before": f"{found.before}, fingerprint {found.before_fingerprint[:12]}",
            "after": f"{found.after}, fingerprint {found.after_fingerprint[:12]}",
            "logic": "; ".join(found.what) or "the same",
            "columns": ", ".join(f"{name} ({how})" for name, how in found.columns.items()) or "the same",
        }
    )
    if not found.differs:
        show.note("nothing differs")
    for number in found.same_as:
        if f"version {number}" not in (found.before, found.after) and found.lines:
            show.note(f"{found.after} has the very text of version {number}")
    if found.what and found.after == "the file":
        show.note(f"it needs a version before it is run: tradex dataset bump {found.dataset} --reason …")
