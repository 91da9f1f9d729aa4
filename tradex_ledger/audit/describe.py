"""Runs, datasets and state as documents, as of any position."""

from __future__ import annotations

from typing import Any

import duckdb
import orjson

from tradex_ledger.ledger.select import Store
from tradex_ledger.views import AsOf, open_views, resolve, rows

_ANY_LOST = "select 1 from events where topic = 'dataset.files_lost' limit 1"
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
        v.definition as text, e.data -> '$.references' as references, v.reader,
        v.is_deprecated as given_up, v.dataset in (select dataset from partitions) as has_data
    from logic_versions v
    join events e on e.position = v.position
    where v.is_current
    order by v.position
"""


class Reader:
    """The projections as of one position, opened once for a whole command."""

    def __init__(self, store: Store, as_of: str | None = None) -> None:
        self.as_of: AsOf = resolve(store, as_of)
        self.connection: duckdb.DuckDBPyConnection = open_views(store, self.as_of)

    def rows(self, projection: str, where: str = "true", *values: Any) -> list[dict[str, Any]]:
        """The rows of a projection."""
        return rows(self.connection, projection, where, *values)

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
        document["plan"] = self._plan(run_id)
        document["windows"] = self._windows(run_id)
        document["request"] = self._facts(run_id, "backfill.requested")
        document["state"] = self._move(run_id, document["request"])
        document["losses"] = self._losses(document["request"])
        return document

    def _losses(self, request: dict[str, Any] | None) -> list[dict[str, Any]]:
        """What was declared lost of the days of Bronze that a backfill asks for, and what was found of it since."""
        if request is None or not self.connection.execute(_ANY_LOST).fetchall():
            return []
        self.rows("lost_files", "false")
        found = self.connection.execute(_LOST_DAYS, [request["first"], request["last"]])
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def _facts(self, run_id: str, topic: str) -> dict[str, Any] | None:
        found = self.connection.execute("select data from events where run_id = ? and topic = ?", [run_id, topic])
        row = found.fetchone()
        return None if row is None else orjson.loads(row[0])

    def _move(self, run_id: str, request: dict[str, Any] | None) -> dict[str, Any] | None:
        """Where a run that declares it puts the state: from where it stands (or stood), to the cursor asked for."""
        if request is None or not request["override_state"]:
            return None
        moved = self._facts(run_id, "backfill.state_overridden")
        if moved is not None:
            before, pipeline = moved["cursor_before"], moved["pipeline"]
        else:
            (state,) = self.rows("pipeline_state")
            before, pipeline = state["cursor"], state["pipeline"]
        return {"pipeline": pipeline, "cursor_before": before, "cursor_after": request["cursor"]}

    def _plan(self, run_id: str) -> dict[str, Any] | None:
        plan = self._facts(run_id, "backfill.planned")
        return plan and {name: value for name, value in plan.items() if name != "windows"}

    def _windows(self, run_id: str) -> list[dict[str, Any]]:
        found = self.connection.execute(
            "select data from events where run_id = ? and topic in ('backfill.planned', 'run.plan_extended') "
            "order by position",
            [run_id],
        ).fetchall()
        return [window for row in found for window in orjson.loads(row[0])["windows"]]

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
            "protections": self._protections(name),
            "stale": self.rows("stale_partitions", "dataset = ?", name),
        }

    def _protections(self, name: str) -> list[dict[str, Any]]:
        """The days of a dataset that must stay as they are: why, and who said so."""
        found = self.connection.execute(
            'select topic, data, "by", "at" from events where dataset = ? and topic in '
            "('dataset.partitions_protected', 'dataset.partitions_unprotected') order by position",
            [name],
        ).fetchall()
        held: list[dict[str, Any]] = []
        for topic, text, by, at in found:
            data = orjson.loads(text)
            span = {"first": data["first"], "last": data["last"]}
            if topic == "dataset.partitions_protected":
                held.append({**span, "reason": data["reason"], "protected_by": by, "protected_at": at})
            else:
                # Version 1 of the event lifted all of that range.
                span |= {"reason": data["protection"]} if data.get("protection") else {}
                held = [one for one in held if not span.items() <= one.items()]
        return held

    def policy_waiting(self) -> dict[str, Any] | None:
        """The proposed policy (digest, by, reason) that nobody has answered: whatever answers one is behind it."""
        newest = "select topic, \"by\", data from events where stream = 'policy' order by position desc limit 1"
        for topic, by, data in self.connection.execute(newest).fetchall():
            if topic == "policy.proposed":
                facts = orjson.loads(data)
                return {"digest": facts["digest"], "by": by, "reason": facts["reason"]}
        return None

    def definitions(self) -> list[dict[str, Any]]:
        """What is known of each dataset's definition: what it was registered as, and its current version's text."""
        self.rows("partitions", "false")
        self.rows("logic_versions", "false")
        found = self.connection.execute(_DEFINITIONS)
        names = [column[0] for column in found.description]
        known = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        return [{**row, "references": orjson.loads(row["references"])} for row in known]

    def close(self) -> None:
        """Let DuckDB go."""
        self.connection.close()
