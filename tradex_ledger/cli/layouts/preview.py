"""How a preview looks: what was built, what would change, some of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tradex_ledger.cli.layouts.diff import differing
from tradex_ledger.cli.show import Show

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.preview import Expected, PreviewDocument

_COLUMNS = ("dataset", "version", "days", "rows_before", "rows_after", "took")


def expected_text(expected: Sequence[Expected]) -> str:
    """What a preview is going to take, in a line."""
    days = sum(one.days for one in expected)
    told = [one.seconds for one in expected if one.seconds is not None]
    low, likely, high = (sum(getattr(one, name) for one in told) for name in ("low", "likely", "high"))
    rows = [one.rows for one in expected if one.rows is not None]
    timeless = ", ".join(one.dataset for one in expected if one.seconds is None)
    rowless = ", ".join(one.dataset for one in expected if one.rows is None)
    parts = [f"about {likely} s ({low} to {high})"] if told else []
    parts += [f"about {sum(rows)} rows"] if rows else []
    parts += [f"how long {timeless} takes is unknown"] if timeless else []
    parts += [f"how many rows {rowless} has is unknown"] if rowless else []
    return f"{days} {'day' if days == 1 else 'days'} to build: {', '.join(parts)}"


def previewed(show: Show, found: PreviewDocument) -> None:
    """A preview, from the whole to the single row."""
    if show.output is None:
        show.rows(found.datasets, _COLUMNS, took=[f"{one.took_ms / 1000:.1f} s" for one in found.datasets])
        for one in found.datasets:
            if one.columns:
                told = ", ".join(f"{name} ({how})" for name, how in one.columns.items())
                show.line(f"columns of {one.dataset}: {told}")
        show.line()
    differing(show, found.differing)
    if show.output is None and found.rows:
        show.line()
        show.table(list(found.rows), list(found.rows[0]), title="its first rows")
    for one in found.datasets:
        if one.newest not in one.same_as:
            for version in one.same_as[-1:]:
                show.note(f"this is version {version}'s text of {one.dataset}")
        elif one is found.datasets[0]:
            show.note(f"{one.dataset} is not edited: its text is that of version {one.newest}")
    for note in found.notes:
        show.warning(note)
    show.note(f"of {found.first}..{found.last}, as of position {found.position}; nothing of it is recorded")
