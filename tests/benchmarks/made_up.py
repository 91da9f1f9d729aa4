"""Millions of made-up posts in a minute: a pool of demo posts, multiplied by DuckDB, with ids and links of their own.

They are laid down as what the extractor stages (`sources/stage.py` writes the same columns from delivered files);
everything from there on, dedup, files, digests and events, is the program's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tests.kit.posts import parse_post
from tradex_ledger.driving import extract
from tradex_ledger.driving.execution import Bench
from tradex_ledger.driving.staging import Staged
from tradex_ledger.pipelines.x.demo.stream import day_of_posts
from tradex_ledger.sources.source import Rejected
from tradex_ledger.sources.stage import PLACE, FileCounts, StageCounts
from tradex_ledger.sources.x_posts.schema import POSTS_SCHEMA

POOL_DAYS, POOL_POSTS_PER_DAY = 5, 6_000
AUTHORS = 20_000

_SQL = """
with numbered as (
    select range as n, n - (n % 64 = 63)::bigint as post, hash(n * 7919 + $seed) as h
    from range($first, $end)
),
made as (
    select
        m.n,
        ((1388534400000 + m.post * 50) << 22)::varchar as post_id,
        (10204080 + hash(m.post) % $authors * 7919)::varchar as author_id,
        date '$day' + ((m.n - $first) // $rows_per_day)::integer as event_date,
        event_date::timestamp
            + to_microseconds(((m.n - $first) % $rows_per_day * 86399000000 // $rows_per_day)::bigint) as made_at,
        substr(md5(m.n::varchar), 1, 10) as link,
        p.*
    from numbered m join pool p on p.number = m.h % $pool
)
select
    replace(replace(payload, own_id, post_id), own_link, link) as payload,
    post_id, author_id,
    made_at as created_at,
    event_date,
    replace(text, own_link, link) as text,
    lang, is_retweet, likes, retweets,
    sha256(text || link || n) as revision,
    made_at + to_seconds((n % 64 = 63)::integer * 600) as revised_at,
    true as is_whole,
    'files:made-up' as __source,
    n as __line,
    null::bigint as __item
from made
order by n
"""


def pool() -> pa.Table:
    """Posts to be multiplied: as the demo makes them, parsed as the extractor does."""
    rows = []
    for offset in range(POOL_DAYS):
        for delivery in day_of_posts(7, date(2024, 3, 4) + timedelta(offset), POOL_POSTS_PER_DAY):
            post = parse_post(delivery.line)
            if not isinstance(post, Rejected):
                rows.append(post[:-1])  # what was odd is no column
    columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), POSTS_SCHEMA.types, strict=True)]
    return pa.table(columns, schema=POSTS_SCHEMA)


def stage_posts(folder: Path, first: date, days: int, rows_per_day: int, *, seed: int = 0) -> list[Path]:
    """Write staged files of 30 days each; returns them. The same numbers give the same posts."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.register("raw", pool())
        connection.execute(
            "create table pool as select row_number() over () - 1 as number, payload, post_id as own_id, "
            "coalesce(nullif(regexp_extract(text, 't\\.co/(\\w{10})', 1), ''), '##########') as own_link, "
            "text, lang, is_retweet, likes, retweets from raw"
        )
        size = connection.execute("select count(*) from pool").fetchall()[0][0]
        for start in range(0, days, 30):
            path = folder / f"staged-{start:05}.parquet"
            n = min(30, days - start)
            values = {
                "$seed": seed,
                "$first": ((first - date(2010, 1, 1)).days + start) * rows_per_day,
                "$end": ((first - date(2010, 1, 1)).days + start + n) * rows_per_day,
                "$rows_per_day": rows_per_day,
                "$authors": AUTHORS,
                "$day": first + timedelta(start),
                "$pool": size,
            }
            sql = _SQL
            for name in sorted(values, key=len, reverse=True):
                sql = sql.replace(name, str(values[name]))
            connection.execute(f"copy ({sql}) to '{path}' (format parquet, compression zstd, compression_level 1)")
            assert pq.read_schema(path).names == [*POSTS_SCHEMA.names, *(name for name, _ in PLACE)]
            found.append(path)
    return found


@contextmanager
def staged_instead_of_delivered(files: list[Path], rows: int) -> Iterator[None]:
    """Let the extractor find these files staged: it skips the reading of JSON, and nothing else."""

    def staged(bench: Bench, intake: Any, listed: Any, wanted: Any, delivered: Any, asked: Any) -> Staged:
        found = Staged(rows=[str(file) for file in files])
        by_file = (FileCounts("made up", "", rows, {0: rows}, {}),)
        found.take_in(StageCounts(len(files), rows, rows, 0, 0, 0, None, None, by_file))
        return found

    own = vars(extract)["stage_all"]
    vars(extract)["stage_all"] = staged
    try:
        yield
    finally:
        vars(extract)["stage_all"] = own
