"""Pictures made of characters: in colour on a terminal, as they are in a pipe. Each is told without its colours."""

from __future__ import annotations

from collections.abc import Sequence

from tradex_ledger.cli.bars import BARS
from tradex_ledger.cli.show import Show, told

Piece = tuple[str, str]
"""A text, and the style that it has on a terminal."""


def picture(show: Show, lines: Sequence[Sequence[Piece]]) -> None:
    """Show lines of pieces; of a document, or of rows in another form, they are no part."""
    if show.as_json or show.output is not None:
        return
    if not show.out.isatty():
        for line in lines:
            show.line("".join(text for text, _ in line).rstrip())
        return
    from tradex_ledger.cli.drawn import paint

    BARS.end()
    with told():
        paint(lines, show.out)
