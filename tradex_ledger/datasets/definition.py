"""One file a dataset: DuckDB SQL with a TOML header in the manner of PEP 723.

    -- /// dataset
    -- layer = "gold"
    -- partition = "date"
    -- key = ["date", "ticker"]
    -- component = "baseline_version"
    -- reads = { gold_metrics = "-28d..-1d" }
    -- ///

`reads` says, for each dataset read, which days a partition may see, relative to its own day. `references` names CSV
files beside the definition that become tables of text columns. `source` names what fills a Bronze dataset, whose
statement then only states the columns; `reader` what reads it, where that has another name (`csv`). A dataset that
reads its own earlier days states its columns too (`columns = { date = "DATE", total = "BIGINT" }`), since nothing else
could say what those days hold.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tradex_ledger.datasets import names
from tradex_ledger.datasets.header import FIELDS, HEADER, Header, fields_of, read_by
from tradex_ledger.datasets.tokens import statement
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.errors import EnvironmentFault, NotFoundError, RefusedError, meant

_READS = re.compile(r"([+-]?[0-9]{1,9})d(?:\.\.([+-]?[0-9]{1,9})d)?")


DAY_REACH = 400
SAID_MAX = 80


class DefinitionError(RefusedError):
    """A dataset's definition does not hold what it must; nothing was run with it.

    `breaks` names what its rows are checked for and did not hold: the "key", or the "partition" that they are of.
    """

    code = "definition"
    breaks = ""

    def __init__(self, dataset: str, problem: str, mend: str = "") -> None:
        super().__init__(
            f"the definition of {dataset} {problem}",
            mend=mend or f"mend the file {dataset}.sql of the pipeline",
        )
        self.dataset = dataset


class UnknownDatasetError(NotFoundError):
    """There is no dataset of that name in the pipeline."""

    code = "unknown-dataset"

    def __init__(self, name: str, known: list[str]) -> None:
        there = f"{meant(name, known)}one of: {', '.join(known)}" if known else "none is registered there yet"
        super().__init__(f"there is no dataset {name!r}", mend=there)


@dataclass(frozen=True, slots=True)
class Read:
    """A dataset that is read, from `first` to `last` days relative to the partition's own day."""

    dataset: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Definition:
    """What a definition file says. `text` is the file as it is, `references` are (table, CSV text)."""

    name: str
    layer: str
    partition: str
    key: tuple[str, ...]
    component: str | None
    reads: tuple[Read, ...]
    references: tuple[tuple[str, str], ...]
    source: str | None
    columns: tuple[tuple[str, str], ...]
    sql: str
    text: str
    reader: str | None = None

    @property
    def read_by(self) -> str | None:
        """The name of the reader that makes its rows; None where they are computed."""
        return read_by(self.source, self.reader)

    @property
    def own_reach(self) -> int | None:
        """How many partitions a window may hold when the dataset reads its own earlier days; None: no limit."""
        own = [-read.last for read in self.reads if read.dataset == self.name]
        return min(own) if own else None


def parse_definition(name: str, text: str, references: dict[str, str]) -> Definition:
    """Read one definition. `references` maps file names to CSV texts. Raises `DefinitionError`."""
    _refuse(repr(name)[1:-1], names.of_a_dataset(name))
    match = HEADER.search(text)
    if match is None:
        raise DefinitionError(name, "has no header", "begin it with -- /// dataset … -- ///, each on a line of its own")
    if statement(text[: match.start()]):
        raise DefinitionError(name, "says something before its header", "put the header first, and all else below it")
    try:
        said = fields_of(match)
    except (ValueError, RecursionError) as error:  # a number of very many digits is none of TOML's own errors
        raise DefinitionError(name, f"has a header that is not TOML: {error}") from None
    _check_fields(name, said)
    header = Header(**said)
    _check_header(name, header)
    missing = [file for file in header.references if file not in references]
    if missing:
        raise DefinitionError(name, f"names reference data that is not there: {', '.join(missing)}")
    return Definition(
        name=name,
        layer=header.layer,
        partition=header.partition,
        key=tuple(header.key),
        component=header.component,
        reads=tuple(_parse_reads(name, header.reads)),
        references=tuple((file.removesuffix(".csv"), references[file]) for file in header.references),
        source=header.source,
        columns=tuple((header.columns or {}).items()),
        sql=statement(text[match.end() :]),
        text=text,
        reader=header.reader,
    )


def _check_fields(name: str, said: Mapping[str, object]) -> None:
    """Raise `DefinitionError` unless a header has the fields of `Header`, each of its type."""
    unknown = set(said) - FIELDS.keys()
    if unknown:
        raise DefinitionError(name, f"has header fields nobody knows: {', '.join(sorted(unknown))}")
    for field in ("layer", "partition", "key"):
        if not said.get(field):
            raise DefinitionError(name, f"does not say its {field}")
    for field, value in said.items():
        fits, wanted = FIELDS[field]
        if not fits(value):
            raise DefinitionError(name, f"has {field} = {_said(value)}, which is not {wanted}")


def _row_of(header: Header) -> str:
    from tradex_ledger.sources.registry import noun_of  # loads all readers, for one word of a refusal

    return noun_of(read_by(header.source, header.reader))


def _check_header(name: str, header: Header) -> None:
    if header.layer not in LAYERS:
        raise DefinitionError(name, f"has the layer {header.layer!r}; it is one of {', '.join(LAYERS)}")
    if (header.layer == "bronze") != (header.source is not None):
        raise DefinitionError(name, "must name a source if, and only if, it is in the bronze layer")
    if header.reader is not None and header.source is None:
        raise DefinitionError(name, "names a reader and no source")
    if (name in header.reads) != (header.columns is not None):
        raise DefinitionError(name, "must state its columns if, and only if, it reads its own earlier days")
    _refuse(name, names.of_a_side(name, header.source, lambda: _row_of(header)))
    _refuse(name, names.of_stated_columns(header.columns or {}))
    _refuse(name, names.of_tables(header.reads, header.references))
    if header.layer != "bronze" and not header.reads:
        raise DefinitionError(name, 'reads nothing: say `reads = { dataset = "0d" }`')


def _said(value: object) -> str:
    """A value as a message says it: not without end."""
    text = repr(value)
    return text if len(text) <= SAID_MAX else f"{text[:SAID_MAX]}…"


def _refuse(name: str, found: tuple[str, str] | None) -> None:
    if found is not None:
        raise DefinitionError(name, *found)


def _parse_reads(name: str, reads: dict[str, str]) -> list[Read]:
    found = []
    for dataset, text in reads.items():
        match = _READS.fullmatch(str(text))
        if match is None:
            raise DefinitionError(name, f"reads {dataset} over {_said(text)}", 'write "0d", "-1d" or "-28d..-1d"')
        first = int(match[1])
        last = first if match[2] is None else int(match[2])
        if last < first or max(abs(first), abs(last)) > DAY_REACH:
            raise DefinitionError(name, f"reads {dataset} over {_said(text)}: at most {DAY_REACH} days, in order")
        if dataset == name and last >= 0:
            raise DefinitionError(name, f"reads its own days over {text!r}: only earlier days can be there")
        found.append(Read(dataset, first, last))
    return found


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline's definitions by name, in an order in which each follows what it reads."""

    name: str
    definitions: dict[str, Definition]

    def get(self, dataset: str) -> Definition:
        """The definition of a dataset. Raises `UnknownDatasetError`."""
        if dataset not in self.definitions:
            raise UnknownDatasetError(dataset, list(self.definitions))
        return self.definitions[dataset]

    def layer(self, layer: str) -> list[Definition]:
        """The definitions of a layer, upstream first."""
        return [d for d in self.definitions.values() if d.layer == layer]


def load_pipeline(folder: Path, name: str) -> Pipeline:
    """Read all definitions (`*.sql`) of a folder, with the reference data (`*.csv`) beside them.

    Raises:
        EnvironmentFault: when the folder, or a file in it, cannot be read.
        NotFoundError: when it has no definition.
        DefinitionError: for the first one that does not hold what it must.
    """
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
        raise EnvironmentFault(f"the pipeline folder {folder} is not there or not readable", mend="name one that is")
    references = {p.name: read_text(p) for p in sorted(folder.glob("*.csv"))}
    parsed = [parse_definition(p.stem, read_text(p), references) for p in sorted(folder.glob("*.sql"))]
    if not parsed:
        raise NotFoundError(f"the pipeline folder {folder} has no definitions (*.sql)")
    for d in parsed:
        if d.name in (name, *LAYERS):  # a command would mean the one or the other
            raise DefinitionError(
                d.name, f"has the name of the pipeline or of a layer: {d.name}", "give it another name"
            )
    return Pipeline(name, upstream_first({d.name: d for d in parsed}))


def read_text(path: Path) -> str:
    """A file of a pipeline. Raises: `EnvironmentFault`, `DefinitionError`."""
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise EnvironmentFault(f"{path} is no file", mend="move it elsewhere, or name it otherwise")
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark, which is no part of it
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be read: {error.strerror}", mend="make it readable") from error
    except UnicodeDecodeError as error:
        raise DefinitionError(
            path.stem, f"is not UTF-8 text: {error.reason} at byte {error.start} of {path.name}"
        ) from None


def upstream_first(definitions: dict[str, Definition]) -> dict[str, Definition]:
    """Order definitions so that each follows what it reads; layers never read upwards."""
    ordered: dict[str, Definition] = {}
    waiting = dict(definitions)
    for d in definitions.values():
        for read in d.reads:
            if read.dataset not in definitions:
                raise DefinitionError(
                    d.name,
                    f"reads {read.dataset}, which is not in the pipeline",
                    f"put {read.dataset}.sql into its folder (back, if it was there), or read it no more",
                )
            if LAYERS.index(definitions[read.dataset].layer) > LAYERS.index(d.layer):
                raise DefinitionError(d.name, f"is {d.layer} and reads {read.dataset}, which is of a later layer")
            if d.layer == "silver" and definitions[read.dataset].layer == "gold":
                raise DefinitionError(d.name, "is silver and depends on more than Bronze")
    while waiting:
        ready = [
            name
            for name, d in waiting.items()
            if all(read.dataset in ordered or read.dataset == name for read in d.reads)
        ]
        if not ready:
            raise DefinitionError(", ".join(waiting), "read each other in a circle")
        ready.sort(key=lambda name: (LAYERS.index(waiting[name].layer), name))
        ordered[ready[0]] = waiting.pop(ready[0])
    return ordered
