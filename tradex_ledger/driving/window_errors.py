"""What a definition is refused for when a window of it is built."""

from __future__ import annotations

import duckdb

from tradex_ledger.datasets.definition import DefinitionError
from tradex_ledger.domain.day import Day, iso


class ReadsOutsideWindowError(DefinitionError):
    """A definition's result for a day depends on days that its `reads` does not declare."""

    code = "reads-outside-window"

    def __init__(self, dataset: str, day: Day, column: str) -> None:
        super().__init__(
            dataset,
            f"reads days outside its declared window: {iso(day)} comes out differently when others are in sight, too",
            "widen its reads in the header, or narrow its join to what it declares; what counts over all rows "
            f"(limit, a window) is to count day by day: partition by {column}",
        )


class NotFedError(DefinitionError):
    """A day comes out otherwise in a statement for many days than alone, although it was shown the same rows."""

    code = "not-fed"

    def __init__(self, dataset: str, day: Day) -> None:
        super().__init__(
            dataset,
            f"gives other rows for {iso(day)} alone than in one statement with other days, of the same rows: "
            f"DuckDB {duckdb.__version__} is at fault",
            "say window_partitions = 1 under [policy], so that each day is built alone; and tell its makers",
        )


class RepeatedKeyError(DefinitionError):
    """A definition gives the same key twice in one partition."""

    code = "repeated-key"
    breaks = "key"

    def __init__(self, dataset: str, key: str) -> None:
        super().__init__(dataset, f"repeats its key: {key}", "aggregate, or choose a key that is unique")


class OtherDaysError(DefinitionError):
    """A definition gives rows of days that it was not asked for."""

    breaks = "partition"

    def __init__(self, dataset: str, value: str, column: str) -> None:
        super().__init__(
            dataset, f"gives rows of other days than it was asked for: {value}", f"join `partitions` on {column}"
        )


class OrderDependentError(DefinitionError):
    """A definition gives other rows when the rows that it reads come in another order."""

    code = "order-dependent"

    def __init__(self, dataset: str, day: Day, difference: str) -> None:
        super().__init__(
            dataset,
            f"gives other rows when its input comes in another order; on {iso(day)} differs: {difference}",
            "break the ties: end each order by with the columns of a key; of several equals arg_max, arg_min and mode "
            "take any, row_number() in such an order takes one; a sum of doubles is the same to 1e-9 only, so round or "
            "compare it less finely",
        )
