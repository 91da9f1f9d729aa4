"""Which files of Bronze may hold a key, whatever their days: an index that is derived from the files, a cache.

Of each file the index has the keys (of one column) as sorted numbers, and the few spans that they lie in: who looks for
keys reads the spans of all files first, then the numbers of the files whose spans they fall into. A number is no proof:
two keys may share one, so the file itself is read in the end. What is kept carries the tag of its user (`keyed.py`) and
is bound to the digest of the file's bytes. Delete it, and the files are read again; without a key nothing is kept, and
each run reads all files.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import orjson

from tradex_ledger.datasets.statement import connect
from tradex_ledger.driving.execution import Execution
from tradex_ledger.keyed import read_sealed, write_sealed
from tradex_ledger.lake.inputs import InputFile, checked
from tradex_ledger.lake.storage import translate
from tradex_ledger.offered import Late
from tradex_ledger.pool.port import Pool

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
else:
    pa = Late("pyarrow")
    pc = Late("pyarrow.compute")
    pq = Late("pyarrow.parquet")

# Goes up when a number, or how it is kept, means something else.
_FORMAT = 1
_SPANS = 16
_TASK_BYTES = 256 << 20
_TASK_FILES = 64
_UNKEPT_BYTES = 256 << 20
_NUMBER_BYTES = 8
_TABLE = "spans"

Spans = tuple[tuple[int, int], ...]


def number_of(column: str) -> str:
    """SQL: the number that stands for a key. One that is a number is its own: those of one day may lie side by side."""
    text = f'"{column}"::varchar'
    return (
        f"case when length({text}) <= 19 and regexp_full_match({text}, '[0-9]+') then ({text})::ubigint "
        f"else md5_number_lower({text}) end"
    )


@dataclass(frozen=True, slots=True)
class KeysTask:
    """Read the keys of some files of Bronze."""

    column: str
    files: tuple[InputFile, ...]


def read_keys(task: KeysTask) -> list[bytes]:
    """A `KeysTask`, in a worker process: the numbers of each file, sorted."""
    try:
        with checked(task.files), connect() as connection:
            return _numbers(connection, [_texts(task.column, file) for file in task.files])
    except OSError as error:
        raise translate(error, f"reading the keys of {len(task.files)} files") from error


def keys_of(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path], column: str) -> list[bytes]:
    """The numbers of files that this very process wrote."""
    return _numbers(connection, [_column(path, column) for path in paths])


def _column(path: Path, column: str) -> pa.ChunkedArray:
    with pq.ParquetFile(path) as file:
        return file.read([column]).column(column).cast(pa.string())


def _texts(column: str, file: InputFile) -> pa.ChunkedArray:
    found = _column(file.path, column)
    if file.again is None:
        return found
    return pa.chunked_array([*found.chunks, pa.array(file.again.keys(file.path, column), pa.string())])


def _numbers(connection: duckdb.DuckDBPyConnection, files: Sequence[pa.ChunkedArray]) -> list[bytes]:
    texts = pa.chunked_array([chunk for file in files for chunk in file.chunks], pa.string())
    of_file = pa.chunked_array([pa.repeat(pa.scalar(n, pa.int32()), len(file)) for n, file in enumerate(files)])
    connection.register("given", pa.table({"t": texts, "f": of_file}))
    found = connection.sql(
        f"select f, {number_of('t')} as k from given where t is not null group by all order by all"
    ).to_arrow_table()
    connection.unregister("given")
    owner, numbers = found.column("f").combine_chunks(), found.column("k").combine_chunks()
    counts = {item["values"]: item["counts"] for item in pc.value_counts(owner).to_pylist()}
    made, start = [], 0
    for n in range(len(files)):
        size = counts.get(n, 0)
        made.append(_raw(numbers.slice(start, size)))
        start += size
    return made


def _raw(numbers: pa.Array) -> bytes:
    first = numbers.offset * _NUMBER_BYTES
    buffer = numbers.buffers()[1]
    return buffer.slice(first, len(numbers) * _NUMBER_BYTES).to_pybytes() if len(numbers) else b""


def numbers_in(raw: bytes) -> pa.Array:
    """Kept numbers as an array."""
    return pa.Array.from_buffers(pa.uint64(), len(raw) // _NUMBER_BYTES, [None, pa.py_buffer(raw)])


def spans_of(raw: bytes) -> Spans:
    """The spans that the numbers lie in: cut where the widest gaps are, so that an odd one widens none."""
    numbers = memoryview(raw).cast("Q")
    if len(numbers) <= _SPANS:
        return tuple((number, number) for number in numbers)
    gaps = pc.subtract(numbers_in(raw).slice(1), numbers_in(raw).slice(0, len(numbers) - 1))
    widest = pc.array_sort_indices(gaps, order="descending").slice(0, _SPANS - 1)
    cuts = [0, *sorted(index + 1 for index in widest.to_pylist()), len(numbers)]
    return tuple((numbers[a], numbers[b - 1]) for a, b in itertools.pairwise(cuts))


def is_exact(spans: Spans) -> bool:
    """Whether the spans are the very numbers."""
    return all(low == high for low, high in spans)


@dataclass
class KeyIndex:
    """The keys of the files of Bronze, as far as they were read; the others are read when they are asked for."""

    pool: Pool
    folder: Path | None
    _unkept: dict[str, bytes] = field(default_factory=dict)
    _is_new: bool = False

    @cached_property
    def spans(self) -> dict[str, Spans]:
        """The spans of each file, as far as they are this user's; read for the first who asks: a run that has nothing
        new asks for none."""
        body = self.folder and read_sealed(self.folder / _TABLE, _label(_TABLE))
        stored: dict[str, list[tuple[int, int]]] = orjson.loads(body) if body else {}
        return {name: tuple((low, high) for low, high in spans) for name, spans in stored.items()}

    def known(self, files: Iterable[InputFile], column: str) -> list[tuple[InputFile, Spans]]:
        """All these files with the spans of their keys; those that are not known yet are read, and checked first.

        Raises: `LakeFileError`.
        """
        given = list(files)
        unread = [file for file in given if _name(file, column) not in self.spans]
        tasks = [KeysTask(column, group) for group in _groups(unread)]
        for task, found in self.pool.run(read_keys, tasks):
            for file, raw in zip(task.files, found, strict=True):
                self._take_in(_name(file, column), raw)
        self._write()
        return [(file, self.spans[_name(file, column)]) for file in given]

    def numbers(self, file: InputFile, column: str) -> bytes:
        """The numbers of a file's keys, sorted."""
        name = _name(file, column)
        if is_exact(spans := self.spans.get(name, ((0, 1),))):
            return b"".join(low.to_bytes(_NUMBER_BYTES, sys.byteorder) for low, _ in spans)
        raw = self._unkept.get(name)
        if raw is None and self.folder is not None:
            raw = read_sealed(self.folder / name, _label(name))
        if raw is None or len(raw) % _NUMBER_BYTES:
            (raw,) = read_keys(KeysTask(column, (file,)))
            self._take_in(name, raw)
        return raw

    def add(self, written: Mapping[str, bytes], column: str) -> None:
        """Keep the numbers of files that were just saved, by the digest of their bytes."""
        for digest, raw in written.items():
            self._take_in(f"{digest}.{column}", raw)
        self._write()

    def _take_in(self, name: str, raw: bytes) -> None:
        self.spans[name] = spans_of(raw)
        self._is_new = True
        if is_exact(self.spans[name]):
            return
        # What cannot be kept stays in memory while there is room, or is read again.
        is_kept = self.folder is not None and write_sealed(self.folder / name, raw, _label(name))
        if not is_kept and sum(map(len, self._unkept.values())) + len(raw) <= _UNKEPT_BYTES:
            self._unkept[name] = raw

    def _write(self) -> None:
        if self._is_new and self.folder is not None:
            write_sealed(self.folder / _TABLE, orjson.dumps(self.spans), _label(_TABLE))
        self._is_new = False


def open_keys(ex: Execution) -> KeyIndex:
    """The index among the ledger's caches."""
    return KeyIndex(ex.here, ex.scope.ledger.store.caches.made("keys"))


def _name(file: InputFile, column: str) -> str:
    """What is known belongs to the bytes of a file; and to its reader, where it is read again."""
    return f"{file.sha256}.{column}" + (f".{file.again.version}" if file.again is not None else "")


def _label(name: str) -> str:
    return f"keys {_FORMAT} {name}"


def _groups(files: Sequence[InputFile]) -> Iterator[tuple[InputFile, ...]]:
    group: list[InputFile] = []
    for file in files:
        if group and (len(group) == _TASK_FILES or sum(f.bytes for f in group) + file.bytes > _TASK_BYTES):
            yield tuple(group)
            group = []
        group.append(file)
    if group:
        yield tuple(group)
