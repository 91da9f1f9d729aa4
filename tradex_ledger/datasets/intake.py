"""What a source fills: its dataset of rows, and those beside it for what is no row.

A source S fills the dataset whose header says `source = "S"`; the lines that are no rows go where one says
`source = "S__rejected"`, those of them that no day belongs to where one says `source = "S__undated"`, if there are any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tradex_ledger.datasets.definition import Definition, DefinitionError, Pipeline
from tradex_ledger.datasets.header import SIDES, source_of
from tradex_ledger.sources.registry import reader_of
from tradex_ledger.sources.source import Reader, Stated

REJECTED, UNDATED = SIDES
_OF_A_LINE = ("file", "line", "reason", "raw", "raw_sha256")

Columns = Mapping[str, Sequence[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Intake:
    """The datasets of Bronze that one source fills. `reader` is the name of what reads it."""

    source: str
    rows: Definition
    rejected: Definition | None = None
    undated: Definition | None = None

    def part(self, definition: Definition) -> Part:
        """One of its datasets, with what it is a part of."""
        return Part(self, definition)

    @property
    def datasets(self) -> tuple[Definition, ...]:
        """All of them, the rows first."""
        return tuple(d for d in (self.rows, self.rejected, self.undated) if d is not None)

    @property
    def sides(self) -> tuple[Definition, ...]:
        """Those that hold lines which are no rows."""
        return self.datasets[1:]

    @property
    def reader(self) -> Reader:
        """What reads the source. Raises: `UnknownReaderError`."""
        return reader_of(self.rows.reader or self.source)

    def stated(self, columns: Columns) -> Stated:
        """What the dataset of rows states, of the columns of all datasets."""
        return Stated(tuple(columns[self.rows.name]), self.rows.partition, self.rows.key)

    @property
    def indexed(self) -> str | None:
        """The column of the key by whose values rows are looked for on other days; None where a key holds its day."""
        return indexed(self.rows)

    @property
    def one(self) -> tuple[str, ...]:
        """The columns by which a thing keeps the day of its first row."""
        return self.reader.one or self.rows.key


@dataclass(frozen=True, slots=True)
class Part:
    """One of the datasets that a source fills."""

    intake: Intake
    definition: Definition

    @property
    def name(self) -> str:
        """The name of the dataset."""
        return self.definition.name

    @property
    def of_lines(self) -> bool:
        """Whether it holds lines that are no rows."""
        return self.definition is not self.intake.rows

    @property
    def indexed(self) -> str | None:
        """The column of the key by whose values rows are looked for on other days."""
        return indexed(self.definition)


def indexed(definition: Definition) -> str | None:
    """The first column of a key that does not hold the partition: the same values on another day are the same row."""
    return None if definition.partition in definition.key else definition.key[0]


def intakes(pipeline: Pipeline) -> list[Intake]:
    """What each source of a pipeline fills, in the order of the datasets of rows. Raises `DefinitionError`."""
    by_source: dict[str, Definition] = {}
    for definition in pipeline.layer("bronze"):
        source = definition.source or ""
        if source in by_source:
            raise DefinitionError(
                definition.name, f"is filled by the source {source!r}, and so is {by_source[source].name}"
            )
        by_source[source] = definition
    found = [
        Intake(source, definition, by_source.get(source + REJECTED), by_source.get(source + UNDATED))
        for source, definition in by_source.items()
        if source_of(source) == source
    ]
    known = {intake.source for intake in found}
    for source, definition in by_source.items():
        main = source_of(source)
        if main not in known:
            raise DefinitionError(definition.name, f"is beside the source {main!r}, and no dataset has that one's rows")
        if (definition.reader or main) != (by_source[main].reader or main):
            raise DefinitionError(
                definition.name,
                f"is read by {definition.reader or main!r}, and {by_source[main].name} by another",
                "let both headers name the same reader",
            )
    return found


def check_intakes(pipeline: Pipeline, columns: Columns) -> None:
    """Raise unless each source can fill what its datasets state. Raises: `DefinitionError`, `UnknownReaderError`."""
    for intake in intakes(pipeline):
        _check(intake, columns)


def _check(intake: Intake, columns: Columns) -> None:
    problem = intake.reader.problem(intake.stated(columns))
    if problem is not None:
        raise DefinitionError(intake.rows.name, problem)
    kinds = dict(columns[intake.rows.name])
    if kinds.get("ingested_at") != "TIMESTAMP":
        raise DefinitionError(intake.rows.name, "states no ingested_at of the type TIMESTAMP: when a row came")
    by = intake.indexed
    if by is not None and kinds[by] not in ("VARCHAR", "BIGINT", "INTEGER"):
        raise DefinitionError(
            intake.rows.name,
            f"has a key whose first column, {by}, is {kinds[by]}: rows cannot be found by it on other days",
            "begin the key with a column of texts or whole numbers, or put the partition into it",
        )
    for side in intake.sides:
        odd = [
            name for name, _ in columns[side.name] if name not in (side.partition, *_OF_A_LINE, "run_id", "ingested_at")
        ]
        if odd or "file" not in side.key:
            problem = f"states columns that no line has: {', '.join(odd)}" if odd else "has no file in its key"
            raise DefinitionError(side.name, problem)
