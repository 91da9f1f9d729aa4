"""Datasets: who reads whom, and what there is of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tradex_ledger.audit.documents.held import Held
from tradex_ledger.audit.documents.held import datasets as of_all
from tradex_ledger.audit.draw.words import many
from tradex_ledger.audit.reader import Reader
from tradex_ledger.relations.reads import reads_of
from tradex_ledger.web.draw.closure import Arrow, Box, closure
from tradex_ledger.web.frame import Frame, page


class Listing(NamedTuple):
    """All datasets, upstream first, and a picture of those that read or are read."""

    held: list[Held]
    graph: Markup


def datasets(request: Request) -> Response:
    """The list."""
    frame = Frame.of(request)
    found = frame.site.read(frame.at, "datasets", _listing)
    return page(frame, "datasets.html", found=found)


def _listing(reader: Reader) -> Listing:
    held = of_all(reader)
    return Listing(held, graph(held))


def graph(held: Sequence[Held], asked: str | None = None) -> Markup:
    """Who reads whom. What is no row (rejected lines, say) reads nothing and is read by nobody: it is left out."""
    reads = {one.dataset: reads_of(one.reads) for one in held}
    read = {edge.dataset for edges in reads.values() for edge in edges}
    shown = [one for one in held if reads[one.dataset] or one.dataset in read or one.dataset == asked]
    boxes = [
        Box(one.dataset, one.layer, f"version {one.logic_version}, {many(one.partitions, 'day')}", one.dataset == asked)
        for one in shown
    ]
    arrows = [
        Arrow(edge.dataset, one.dataset, reach(edge.first, edge.last)) for one in shown for edge in reads[one.dataset]
    ]
    return closure(boxes, arrows, f"{len(boxes)} datasets and what each reads")


def reach(first: int, last: int) -> str:
    """Which days are read, relative to a partition's own."""
    return (f"{first} d" if first == last else f"{first}…{last} d").replace("-", "−")
