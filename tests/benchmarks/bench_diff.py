"""What `audit diff` takes by key: 10 M rows a side, over ten days and on one, three times as many, and wide ones.

The files are made up, a tenth of the rows has other values; the path is that of the command from where its files are
known: each file hashed, counts, transitions and samples worked out. A process each, with the most memory that it held.
"""

from __future__ import annotations

import json
import sys
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import duckdb

from tests.benchmarks import measure
from tests.kit import small
from tradex_ledger.audit.diff import Differ
from tradex_ledger.audit.sides import Key, Pair, Side
from tradex_ledger.domain.day import day_of
from tradex_ledger.lake.scratch import Scratch
from tradex_ledger.lake.storage import StagedFile, sha256_of
from tradex_ledger.relations.data import File

GOAL = "peak ≤ 400, and grows neither with the days nor with one"
DAY = date(2024, 1, 1)
_ROWS = """
    copy (
        select
            date '{day}' as date, 'T' || lpad(i::varchar, 9, '0') as ticker, (hash(i) % 97)::bigint as mentions,
            (hash(i + 1) % 1000)::double / 7 + {other} as z,
            ['normal', 'elevated', 'spike'][1 + ((hash(i) % 33 + {other} * 3) // 12)::bigint] as signal,
            {wide}
        from range({first}, {last}) t(i)
    ) to '{file}' (format parquet, compression zstd, row_group_size 131072)
"""


_WIDE = """
    repeat(md5((i * 7)::varchar), 3) || {other}::varchar as text_a,
    md5((i * 11)::varchar) || repeat(' the quick brown fox', 6) as text_b,
    sha256((i * 13 + {other})::varchar) as text_c,
    ['Ünïcödé 漢字 ', 'x', 'lorem ipsum dolor sit amet '][1 + (i % 3)::bigint] || (i + {other})::varchar as text_d
"""


def make(folder: Path, days: int, rows: int, *, wide: bool = False) -> None:
    """Two sides of so many days, in order of their key as a lake has them: a hundredth of the rows is gone, one is new,
    a tenth is other. `wide` ones have four texts more, 400 bytes together."""
    folder.mkdir()
    with duckdb.connect() as connection:
        for n in range(days):
            for side, other, first in (("before", "0", 0), ("after", "(i % 10 = 0)::integer", rows // 100)):
                said = {"day": DAY + timedelta(days=n), "other": other, "first": first, "last": first + rows}
                said["wide"] = _WIDE.format(other=other) if wide else ""
                connection.execute(_ROWS.format(**said, file=folder / f"{side}-{n}.parquet"))


def differ(workspace: Path, folder: Path, days: int, rows: int) -> int:
    """Hold them against each other; how many rows changed."""
    with small.reopen(workspace) as opened:
        files = Scratch(opened.core.lake, folder)

        def side(name: str, n: int) -> Side:
            path = folder / f"{name}-{n}.parquet"
            one = files.named(StagedFile(day_of(DAY), path, rows, path.stat().st_size, sha256_of(path)))
            return Side(rows, [File(path=one.path, bytes=one.bytes, rows=one.rows, sha256=one.sha256)])

        pairs = [
            Pair("made_up", "gold", DAY + timedelta(days=n), None, side("before", n), side("after", n))
            for n in range(days)
        ]
        found = Differ(opened.ledger, files).beside(pairs, {"made_up": Key("date", ("date", "ticker"))})
        return sum(one.rows_changed or 0 for one in found)


def main() -> None:
    if sys.argv[1:2] == ["differ"]:
        print(json.dumps(differ(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))))
        return
    given = measure.parser(__doc__).parse_args()
    rows = 10_000 if given.quick else 1_000_000
    lines = [("", "CPU s; wall s; peak MB (PSS)", "goal")]
    with measure.folder(given.work) as work:
        if not (work / "ws").exists():
            small.deliver(work / "posts", days=1)
            small.create(work / "ws", f"files:{work / 'posts'}").close()
        for days, each, wide in ((10, rows, False), (30, rows, False), (1, rows * 10, False), (1, rows * 10, True)):
            folder = work / f"{days}-{each}{'-wide' if wide else ''}"
            if not folder.exists():
                make(folder, days, each, wide=wide)
            costs = [
                measure.run(__file__, "differ", work / "ws", folder, days, each)
                for _ in range(given.times or (1 if given.quick else 3))
            ]
            assert costs[0].out == days * len(range(each // 100 + -(each // 100) % 10, each, 10))
            cpu, wall = (measure.spread([getattr(one, kind) for one in costs]) for kind in ("cpu", "wall"))
            peak = max(one.peak.pss for one in costs)
            lines.append(
                (f"{days} x {each:,} {'wide ' if wide else ''}rows a side", f"{cpu}; {wall}; {peak:,.0f}", GOAL)
            )
    measure.table("rows held against each other by their key", lines)


if __name__ == "__main__":
    main()
