"""The one DuckDB that questions of ours share: nobody sees what another has made in it, and nothing is left."""

from __future__ import annotations

import duckdb
import pytest

from tradex_ledger.datasets.statement import shared

DATABASES = "select count(*) from duckdb_databases() where not internal"


def test_each_has_a_database_of_its_own_that_goes_with_it():
    with shared() as one, shared() as other:
        for number, connection in enumerate((one, other)):
            connection.execute("create table t as select $1::int as n", [number])
            connection.execute("create view v as from t")
            connection.execute("create temp table s as from v")
        assert [connection.execute("select n from v join s using (n)").fetchall() for connection in (one, other)] == [
            [(0,)],
            [(1,)],
        ]
        assert one.execute("select current_setting('TimeZone'), current_setting('threads')").fetchall() == [("UTC", 1)]
    with shared() as later:
        assert later.execute(DATABASES).fetchall() == [(2,)]  # the engine's own, and this one
        with pytest.raises(duckdb.CatalogException):
            later.execute("from t")


def test_a_question_that_fails_leaves_nothing():
    with pytest.raises(duckdb.CatalogException), shared() as connection:
        connection.execute("from nothing")
    with shared() as later:
        assert later.execute(DATABASES).fetchall() == [(2,)]
