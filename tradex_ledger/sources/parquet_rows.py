"""Rows on their way into a staged Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tradex_ledger.offered import Late
from tradex_ledger.sources.source import Cell

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = Late("pyarrow")
    pq = Late("pyarrow.parquet")

_BATCH_BYTES_MAX = 8 << 20
# Few values repeated often, as days are; the others are (nearly) unique, a dictionary only costs time there.
_REPEATED = {"__source", "source", "file", "reason", "run_id", "ingested_at"}


class ParquetRows:
    """Rows written to a file that exists only if there is a row, in batches of `batch_rows` (or about 8 MiB)."""

    def __init__(self, path: Path, schema: pa.Schema, batch_rows: int) -> None:
        self._path, self._schema, self._batch_rows = path, schema, batch_rows
        self._rows: list[tuple[Cell, ...]] = []
        self._bytes = 0
        self._writer: pq.ParquetWriter | None = None

    def append(self, row: tuple[Cell, ...], n_bytes: int) -> None:
        """A row in the order of the schema, which takes about so many bytes."""
        self._rows.append(row)
        self._bytes += n_bytes
        # By bytes too: 20,000 usual rows are up to 60 MB, 20,000 long ones would be gigabytes.
        if len(self._rows) >= self._batch_rows or self._bytes >= _BATCH_BYTES_MAX:
            self._flush()

    def close(self) -> None:
        """Write what is left; the file, if there is one, is whole now."""
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def discard(self) -> None:
        """Leave no half-written file behind."""
        if self._writer is not None:
            self._writer.close()
            self._path.unlink(missing_ok=True)

    def _flush(self) -> None:
        if not self._rows:
            return
        columns = zip(*self._rows, strict=True)
        types = self._schema.types
        arrays = [pa.array(values, type=kind) for values, kind in zip(columns, types, strict=True)]
        if self._writer is None:
            self._writer = self._open()
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._rows, self._bytes = [], 0

    def _open(self) -> pq.ParquetWriter:
        repeated = [f.name for f in self._schema if f.name in _REPEATED or pa.types.is_date(f.type)]
        return pq.ParquetWriter(
            self._path,
            self._schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=repeated,
            # Nobody looks for a text here, and some are long.
            write_statistics=[f.name for f in self._schema if not pa.types.is_string(f.type)],
        )
