"""What follows from a dataset by the definitions of today, and what it follows from. Pure."""

from __future__ import annotations

from tradex_ledger.audit.lineage import Lineage
from tradex_ledger.datasets.definition import Pipeline
from tradex_ledger.domain.layers import LAYERS


def indirectly(pipeline: Pipeline, changed: list[str]) -> dict[str, str]:
    """The datasets whose numbers follow from changed ones, each with (the first of) those.

    A version of their own get those that keep versions side by side, and below Bronze all: what Bronze says of its
    rows is in every row that is made of them.
    """
    found: dict[str, str] = {}
    for name in changed:
        of_bronze = pipeline.definitions[name].layer == LAYERS[0]
        for other in downstream(pipeline, name):
            if of_bronze or pipeline.definitions[other].component is not None:
                found.setdefault(other, name)
    return {name: found[name] for name in pipeline.definitions if name in found}


def downstream(pipeline: Pipeline, name: str) -> list[str]:
    """All datasets that read the named one, directly or through others, upstream first."""
    found = {name}
    for definition in pipeline.definitions.values():
        if any(read.dataset in found for read in definition.reads):
            found.add(definition.name)
    return [other for other in pipeline.definitions if other in found and other != name]


def lineage(pipeline: Pipeline, name: str) -> list[Lineage]:
    """The edges above and below a dataset."""
    pipeline.get(name)
    above = {name}
    for definition in reversed(pipeline.definitions.values()):
        if definition.name in above:
            above |= {read.dataset for read in definition.reads}
    below = {name, *downstream(pipeline, name)}
    return [
        Lineage(d.name, read.dataset, read.first, read.last, "upstream" if d.name in above else "downstream")
        for d in pipeline.definitions.values()
        for read in d.reads
        if d.name in above or (d.name in below and read.dataset in below)
    ]
