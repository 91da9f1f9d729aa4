"""What a preview built, held against what there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

from tradex_ledger.audit.diff import Differ
from tradex_ledger.audit.documents.preview import PreviewDocument, Previewed
from tradex_ledger.audit.sides import NOTHING, Key, Pair, Side
from tradex_ledger.audit.values import values_of
from tradex_ledger.datasets.statement import connect, quoted
from tradex_ledger.domain.day import Day, date_of, iso
from tradex_ledger.lake.scratch import Scratch
from tradex_ledger.paths import file_list
from tradex_ledger.relations.data import File
from tradex_ledger.workspace.texts import compare_with

if TYPE_CHECKING:
    from tradex_ledger.workspace.previewing import Previewing


def beside(made: Previewing, files: Scratch, took: Mapping[str, int]) -> PreviewDocument:
    """What was built into some files, in so many milliseconds a dataset, beside what readers have."""
    before = made.before
    pairs = {name: list(_pairs(made, name, before.get(name, (None, {}))[1])) for name in made.wanted}
    definitions = {name: made.pipeline.get(name) for name in made.wanted}
    keys = {name: Key(one.partition, one.key) for name, one in definitions.items()}
    differ = Differ(made.core.ledger, files, trusting=made.trusting, where=made.where, samples=made.samples)
    return PreviewDocument(
        position=made.reader.as_of.position,
        first=iso(made.days[0]),
        last=iso(made.days[-1]),
        expected=made.expected,
        datasets=[
            Previewed(
                name,
                before[name][0] if name in before else None,
                made.versions[name].logic_version if name in made.versions else None,
                len(own),
                sum(pair.before.rows for pair in own),
                sum(pair.after.rows for pair in own),
                took[name],
                *_texts(made, name),
            )
            for name, own in pairs.items()
        ],
        differing=differ.beside([pair for own in pairs.values() for pair in own], keys),
        rows=[] if made.dataset in before else _rows(made, files),
        notes=list(_notes(made)),
    )


def _pairs(made: Previewing, name: str, before: Mapping[date, Side]) -> Iterator[Pair]:
    for day in sorted(made.wanted[name]):
        version = made.catalog.current[name][day]
        files = [File(path=f.path, bytes=f.bytes, rows=f.rows, sha256=f.sha256) for f in version.files]
        layer, as_date = made.pipeline.get(name).layer, date_of(day)
        yield Pair(name, layer, as_date, None, before.get(as_date, NOTHING), Side(version.rows, files))


def _texts(made: Previewing, name: str) -> tuple[list[str], dict[str, str], list[int]]:
    """What its text changes, as `Previewed` has it."""
    if name not in made.versions:
        return [], {}, []
    found = compare_with(made.core, made.pipeline.get(name), made.columns[name])
    return found.what, found.columns, found.same_as


def _rows(made: Previewing, files: Scratch) -> Sequence[Mapping[str, object]]:
    """The first rows of a dataset that there is not yet."""
    definition = made.pipeline.get(made.dataset)
    paths = [str(files.near(file)) for _, file in made.catalog.files(made.dataset, made.days[0], made.days[-1])]
    if not paths or not made.samples:
        return []
    order = ", ".join(quoted(name) for name in dict.fromkeys((definition.partition, *definition.key)))
    with connect() as connection:
        source = f"read_parquet({file_list(paths)}, hive_partitioning = false)"
        names, _, rows = values_of(connection, f"select * from {source} order by {order} limit {made.samples:d}")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _notes(made: Previewing) -> Iterator[str]:
    """What to know of the answer."""
    left = (made.last - made.first).days + 1 - len(made.days)
    if left:
        yield f"{left} of the days that were asked for are not there"
    if made.pipeline.get(made.dataset).own_reach is not None:
        yield f"it reads its own earlier days: those before {_day(made.days)} are as they are in the lake"
    for name in sorted({read.dataset for one in made.wanted for read in made.pipeline.get(one).reads}):
        if name not in made.wanted and compare_with(made.core, made.pipeline.get(name), made.columns[name]).what:
            yield f"{name}, which is read, is edited, too: it is read as the lake has it"


def _day(days: Sequence[Day]) -> str:
    return iso(days[0])
