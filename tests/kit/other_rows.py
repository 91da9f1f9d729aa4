"""A build that something else than its inputs had a say in: a machine, a disk, a hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tradex_ledger.driving import window
from tradex_ledger.driving.window import WindowTask, build_window
from tradex_ledger.lake.storage import StagedFile, sha256_of

Change = Callable[[pa.Table], pa.Table]


def one_more(table: pa.Table) -> pa.Table:
    """The last column of numbers, each greater by one."""
    number = next(n for n in reversed(range(table.num_columns)) if pa.types.is_integer(table.schema.field(n).type))
    name = table.column_names[number]
    return table.set_column(number, name, pc.add(table[name], 1).cast(table[name].type))


def without_the_first(table: pa.Table) -> pa.Table:
    """A row less."""
    return table.slice(1)


def encoded_otherwise(table: pa.Table) -> pa.Table:
    """The same rows; written anew they have other bytes."""
    return table


@contextmanager
def given_for(dataset: str, change: Change = one_more) -> Iterator[None]:
    """For a while, what is built of a dataset comes out otherwise, and nothing else knows of it."""

    def build(task: WindowTask) -> list[StagedFile]:
        return [_changed(file, change) if task.dataset == dataset else file for file in build_window(task)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "build_window", build)
        yield


def _changed(file: StagedFile, change: Change) -> StagedFile:
    table = change(pq.read_table(file.path, partitioning=None))
    pq.write_table(table, file.path, compression="snappy")
    return replace(file, rows=table.num_rows, bytes=file.path.stat().st_size, sha256=sha256_of(file.path))
