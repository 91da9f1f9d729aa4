"""Runs, datasets and state as documents, as of any position."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb
import orjson

from tradex_ledger.ledger.select import Store
from tradex_ledger.views import AsOf, asked, open_views, resolve, rows

_LOST_DAYS = """
    select
        dataset, partition, min(position) as position, sum(rows)::bigint as rows, max(appended_since) as appended_since,
        bool_and(mended_position is not null) as extracted
    from lost_files
    where layer = 'bronze' and partition between $1::date and $2::date
    group by dataset, partition
    order by dataset, partition
"""


_DEFINITIONS = """
    select
        v.dataset, v.layer, v.partition_column as partition, v.component, v.logic_version as version,
        v.definition as text, d.references, v.reader,
        v.is_deprecated as given_up, v.dataset in (select dataset from partitions) as has_data
    from logic_versions v
    join definitions d using (dataset, logic_version)
    where v.is_current
    order by v.position
"""
_PROTECTIONS = """
    select first::varchar as first, last::varchar as last, reason, protected_by, protected_at
    from protections
    where dataset = $1
    order by position
"""


def _facts(text: str | None) -> dict[str, Any] | None:
    """The facts of an event, where there is one."""
    facts: dict[str, Any] | None = None if text is None else orjson.loads(text)
    return facts


class Reader:
    """The projections as of one position, opened once for a whole command."""

    def __init__(self, store: Store, as_of: str | None = None) -> None:
        self.as_of: AsOf = resolve(store, as_of)
        self.connection: duckdb.DuckDBPyConnection = open_views(store, self.as_of)

    def rows(self, projection: str, where: str = "true", *values: Any) -> list[dict[str, Any]]:
        """The rows of a projection."""
        return rows(self.connection, projection, where, *values)

    def asked(self, projections: Iterable[str], statement: str, *values: Any) -> list[dict[str, Any]]:
        """The rows of a statement of ours over projections."""
        return asked(self.connection, projections, statement, *values)

    def runs(
        self, *, kind: str | None = None, status: str | None = None, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Runs, newest first."""
        where, values = ["true"], []
        if kind:
            where.append("run_kind = ?")
            values.append(kind)
        if status:
            where.append("status = ?")
            values.append(status)
        tail = f" order by position desc limit {int(limit)}" if limit else " order by position desc"
        return self.rows("runs", " and ".join(where) + tail, *values)

    def run(self, run_id: str) -> dict[str, Any]:
        """One run with its request, plan, approval and layers; `id`, `kind` and `status` first."""
        found = self.rows("runs", "run_id = ?", run_id)
        facts = found[0]
        document = {"id": run_id, "kind": facts["kind"], "status": facts["status"], **facts}
        document["layers"] = [
            {**row, **{name: row[name] and orjson.loads(row[name]) for name in ("extraction", "source")}}
            for row in self.rows("run_layers", "run_id = ? order by started_at", run_id)
        ]
        looks = self.rows("source_looks", "run_id = ? order by position desc limit 1", run_id)
        document["look"] = looks[0] if looks else None
        told = next(iter(self.rows("requests", "run_id = ?", run_id)), None)
        request, plan, override = (_facts(told[name]) if told else None for name in ("request", "plan", "override"))
        document["plan"] = plan and {name: value for name, value in plan.items() if name != "windows"}
        windows = self.rows("plan_windows", "run_id = ? order by position, number", run_id)
        document["windows"] = [orjson.loads(row["window"]) for row in windows]
        document["request"] = request
        document["state"] = self._move(request, override)
        document["losses"] = self._losses(document["request"])
        return document

    def _losses(self, request: dict[str, Any] | None) -> list[dict[str, Any]]:
        """What was declared lost of the days of Bronze that a backfill asks for, and what was found of it since."""
        if request is None:
            return []
        return self.asked(["lost_files"], _LOST_DAYS, request["first"], request["last"])

    def _move(self, request: dict[str, Any] | None, moved: dict[str, Any] | None) -> dict[str, Any] | None:
        """Where a run that declares it puts the state: from where it stands (or stood), to the cursor asked for."""
        if request is None or not request["override_state"]:
            return None
        if moved is not None:
            before, pipeline = moved["cursor_before"], moved["pipeline"]
        else:
            (state,) = self.rows("pipeline_state")
            before, pipeline = state["cursor"], state["pipeline"]
        return {"pipeline": pipeline, "cursor_before": before, "cursor_after": request["cursor"]}

    def datasets(self) -> list[dict[str, Any]]:
        """Each dataset: its current version and what the lake holds of it."""
        self.rows("partitions", "false")
        found = self.rows("logic_versions", "is_read order by position")
        held = {
            row[0]: row[1:]
            for row in self.connection.execute(
                "select p.dataset, count(*), min(p.partition), max(p.partition), sum(p.rows)::bigint, "
                "sum(p.bytes)::bigint, max(p.published_at) from partitions p join logic_versions v using (dataset) "
                "where v.is_read and (v.component is null or p.logic_version = v.logic_version) group by 1"
            ).fetchall()
        }
        names = ("partitions", "first", "last", "rows", "bytes", "published_at")
        empty = (0, None, None, 0, 0, None)
        return [
            {
                "dataset": row["dataset"],
                "layer": row["layer"],
                "logic_version": row["logic_version"],
                "component": row["component"],
                **dict(zip(names, held.get(row["dataset"], empty), strict=True)),
                "reads": row["reads"],
            }
            for row in found
        ]

    def dataset(self, name: str) -> dict[str, Any]:
        """One dataset with all its logic versions. Raises `UnknownDatasetError`."""
        from tradex_ledger.datasets.definition import UnknownDatasetError

        known = {row["dataset"]: row for row in self.datasets()}
        if name not in known:
            raise UnknownDatasetError(name, list(known))
        versions = self.rows("logic_versions", "dataset = ? order by logic_version", name)
        self.rows("partitions", "false")
        coverage = {
            row[0]: row[1:]
            for row in self.connection.execute(
                "select logic_version, count(*), min(partition), max(partition) from partitions where dataset = ? "
                "group by 1",
                [name],
            ).fetchall()
        }
        for version in versions:
            covered = coverage.get(version["logic_version"], (0, None, None))
            version |= dict(zip(("partitions", "first", "last"), covered, strict=True))
        return {
            **known[name],
            "versions": versions,
            "protections": self.asked(["protections"], _PROTECTIONS, name),
            "stale": self.rows("stale_partitions", "dataset = ?", name),
        }

    def policy_waiting(self) -> dict[str, Any] | None:
        """The proposed policy (digest, by, reason) that nobody has answered: whatever answers one is behind it."""
        for row in self.rows("policy_history", "true order by position desc limit 1"):
            if row["decision"] == "proposed":
                return {name: row[name] for name in ("digest", "by", "reason")}
        return None

    def definitions(self) -> list[dict[str, Any]]:
        """What is known of each dataset's definition: what it was registered as, and its current version's text."""
        known = self.asked(["partitions", "logic_versions", "definitions"], _DEFINITIONS)
        return [{**row, "references": orjson.loads(row["references"])} for row in known]

    def close(self) -> None:
        """Let DuckDB go."""
        self.connection.close()
