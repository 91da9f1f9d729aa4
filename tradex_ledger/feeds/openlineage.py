"""The events of runs as OpenLineage 2-0-2 has them: a run, below it an attempt at each dataset, and what came of it.

What is told of an event follows from it and what the ledger held before it, and from nothing else: no clock, no chance.
So the same event makes the same bytes each time. `docs/feeds.md` says what becomes of which event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from uuid import NAMESPACE_URL, uuid5

import orjson

from tradex_ledger.domain.dataset import stream_of
from tradex_ledger.domain.facts import Facts
from tradex_ledger.feeds import facets
from tradex_ledger.feeds.port import Message
from tradex_ledger.feeds.story import ENDS, LAYERS, Piece, Story, Volume, story, volumes
from tradex_ledger.ledger.ask import Told, of_stream
from tradex_ledger.ledger.rows import entry_of
from tradex_ledger.ledger.select import Store

_IDS = uuid5(NAMESPACE_URL, f"{facets.PRODUCER}:openlineage:run")
_STATES = {
    "backfill.requested": "OTHER",
    "backfill.planned": "OTHER",
    "backfill.approved": "START",
    "backfill.rejected": "OTHER",
    "backfill.expired": "OTHER",
    "backfill.paused": "RUNNING",
    "backfill.resumed": "RUNNING",
    "backfill.state_overridden": "RUNNING",
    "backfill.cancelled": "ABORT",
    "backfill.failed": "FAIL",
    "backfill.completed": "COMPLETE",
    "backfill.reverted": "OTHER",
    "incremental_run.started": "START",
    "incremental_run.cancelled": "ABORT",
    "incremental_run.failed": "FAIL",
    "incremental_run.succeeded": "COMPLETE",
    "run.held": "RUNNING",
    "run.released": "RUNNING",
    "run.published": "RUNNING",
}
"""What each event of a run is, of the run. One that was never allowed to run has no START, and so no end."""
TOPICS = (*_STATES, *LAYERS)
_FAILS = ("backfill.failed", "incremental_run.failed")


class _Said(NamedTuple):
    """A run event, but for what is the same in all of an event's."""

    state: str
    run: str
    run_facets: Facts
    job: str
    job_facets: Facts
    inputs: Sequence[Facts] = ()
    outputs: Sequence[Facts] = ()


class _Told(NamedTuple):
    """An event to be told, and what is known beside it."""

    store: Store
    row: Told
    story: Story
    data: Facts
    namespace: str

    def id_of(self, *of: object) -> str:
        """The run id of something in this ledger, the same whenever it is asked."""
        return str(uuid5(_IDS, "/".join(map(str, (self.store.ledger, self.row.stream, *of)))))

    def job(self) -> str:
        """What the job of the run is called."""
        request = self.story.newest("backfill.requested")
        if request is not None:
            return f"backfill.{request.get('kind')}"
        begun = self.story.newest("incremental_run.started") or {}
        return f"incremental.{begun.get('pipeline')}"

    def dataset(self, name: str, **more: Facts) -> Facts:
        """A dataset of the lake, with what is known of it."""
        return {"namespace": self.namespace, "name": name, **more}


def teller(namespace: str | None) -> Callable[[Store, Told], Iterator[Message]]:
    """What tells events, with its jobs and datasets in a namespace (None: one of the ledger's own)."""

    def tell(store: Store, row: Told) -> Iterator[Message]:
        told = _Told(store, row, story(store, row), row.data, namespace or f"tradex-ledger://{store.ledger}")
        said = list(_of_layer(told) if row.topic in LAYERS else _of_run(told))
        for part, one in enumerate(said, 1):
            body = orjson.dumps(_event(told, one, part, len(said)), option=orjson.OPT_SORT_KEYS)
            yield Message(row.position, part, f"{store.ledger}-{row.position}-{part}", body)

    return tell


def _event(told: _Told, said: _Said, part: int, parts: int) -> Facts:
    row = told.row
    ledger = facets.ours(
        "LedgerRunFacet",
        ledger=told.store.ledger,
        position=row.position,
        stream=row.stream,
        version=row.version,
        topic=row.topic,
        by=told.story.events[-1].by,
        leaf=row.leaf.hex(),
        part=part,
        parts=parts,
    )
    return {
        "eventTime": row.at,
        "eventType": said.state,
        "producer": facets.PRODUCER,
        "schemaURL": facets.EVENT,
        "run": {"runId": said.run, "facets": {"tradex_ledger": ledger, **said.run_facets}},
        "job": {"namespace": told.namespace, "name": said.job, "facets": said.job_facets},
        "inputs": list(said.inputs),
        "outputs": list(said.outputs),
    }


# -- a run


def _of_run(told: _Told) -> Iterator[_Said]:
    topic, data = told.row.topic, told.data
    state = _STATES[topic]
    if state in ("ABORT", "FAIL") and not told.story.has_started():
        state = "OTHER"
    if topic in ENDS:
        yield from (_piece(told, one, "ABORT", {}) for one in told.story.open_pieces())
    about = _about(told)
    if topic in _FAILS:
        about |= facets.error(str(data.get("reason")))
    kind = "BACKFILL" if told.story.newest("backfill.requested") is not None else "INCREMENTAL_RUN"
    yield _Said(state, told.id_of(), about, told.job(), _job_type(kind), outputs=_published(told))


def _about(told: _Told) -> Facts:
    """What an event says of its run; at its start all that was said before it, for who listens from there on."""
    topic = told.row.topic
    found: Facts = {}
    is_start = _STATES[topic] == "START"
    request = told.story.newest("backfill.requested")
    if request is not None and (is_start or topic == "backfill.requested"):
        found |= _asked(request)
    plan = told.story.newest("backfill.planned")
    if plan is not None and (is_start or topic == "backfill.planned"):
        found["tradex_plan"] = facets.ours(
            "PlanRunFacet",
            digest=plan.get("digest"),
            base=plan.get("base"),
            policyDigest=plan.get("policy_digest"),
            partitions=sum(int(one.get("partitions", 0)) for one in plan.get("windows", ())),
            datasets=sorted({str(one.get("dataset")) for one in plan.get("windows", ())}),
        )
    return found | _decided(told)


def _asked(request: Facts) -> Facts:
    reason = facets.ours(
        "ReasonRunFacet",
        reason=request.get("reason"),
        ticket=request.get("ticket"),
        kind=request.get("kind"),
        dataset=request.get("dataset"),
        layers=request.get("layers"),
        priority=request.get("priority"),
    )
    return facets.days(str(request.get("first")), str(request.get("last"))) | {"tradex_reason": reason}


def _decided(told: _Told) -> Facts:
    topic, data, by = told.row.topic, told.data, told.story.events[-1].by
    if topic == "backfill.approved":
        approval = facets.ours(
            "ApprovalRunFacet",
            by=by,
            rule=data.get("rule"),
            planDigest=data.get("plan_digest"),
            policyDigest=data.get("policy_digest"),
            seen=data.get("seen"),
            key=data.get("key") if data.get("signature") else None,
        )
        return {"tradex_approval": approval}
    if topic == "incremental_run.started":
        begin, until = data.get("cursor_from"), str(data.get("cursor_to"))
        return {} if begin is None else facets.nominal(str(begin), until)
    if topic in _FAILS or data.get("reason") is None or topic == "backfill.requested":
        return {}
    what = topic.partition(".")[2]
    return {"tradex_decision": facets.ours("DecisionRunFacet", decision=what, by=by, reason=data.get("reason"))}


def _published(told: _Told) -> list[Facts]:
    """The datasets whose current version an event changes."""
    position, data = told.row.position, told.data
    if told.row.topic == "backfill.reverted":
        return [told.dataset(str(name), facets=facets.version(position)) for name in data.get("datasets", ())]
    if told.row.topic != "run.published":
        return []
    return [
        told.dataset(
            str(one.get("dataset")),
            facets=facets.version(position) | _columns(told, str(one.get("dataset"))),
            outputFacets=facets.statistics(int(one.get("rows", 0)), int(one.get("bytes", 0))),
        )
        for one in data.get("datasets", ())
    ]


# -- an attempt at a layer, or at a dataset of it


def _of_layer(told: _Told) -> Iterator[_Said]:
    topic, data, pieces = told.row.topic, told.data, told.story.open_pieces()
    if topic == LAYERS[0]:
        yield from (_piece(told, one, "ABORT", {}) for one in pieces)  # its driver died, or somebody paused it
        yield from (_begun(told, one) for one in told.story.begun_pieces())
    elif topic == LAYERS[1]:
        found = volumes(told.store, told.row, str(data.get("layer")))
        yield from (_piece(told, one, "COMPLETE", {}, _written(told, one, found)) for one in pieces)
    else:
        failed = data.get("dataset")
        for one in pieces:
            is_it = failed is None or one.dataset in (failed, None) or failed not in {p.dataset for p in pieces}
            why = facets.error(str(data.get("message"))) if is_it else {}
            yield _piece(told, one, "FAIL" if is_it else "ABORT", why)


def _piece(told: _Told, piece: Piece, state: str, more: Facts, outputs: Sequence[Facts] = ()) -> _Said:
    parent = facets.published(
        "ParentRunFacet",
        run={"runId": told.id_of()},
        job={"namespace": told.namespace, "name": told.job()},
    )
    made = told.id_of(piece.layer, piece.attempt, piece.name)
    return _Said(state, made, {"parent": parent, **more}, piece.name, _job_type("DATASET"), (), outputs)


def _begun(told: _Told, piece: Piece) -> _Said:
    executor, extraction = told.data.get("executor") or {}, told.data.get("extraction") or {}
    more = facets.days(piece.first, piece.last) if piece.first and piece.last else {}
    engine = facets.published("ProcessingEngineRunFacet", name="DuckDB", version=str(executor.get("duckdb")))
    said = _piece(told, piece, "START", more | {"processing_engine": engine})
    if piece.dataset is None:
        source = extraction.get("source")
        named = [{"namespace": f"{told.namespace}/sources", "name": str(source)}] if source else []
        return said._replace(inputs=named)
    logic = _logic(told, piece.dataset)
    sql = facets.published("SQLJobFacet", query=str(logic.get("definition")), dialect="duckdb")
    return said._replace(
        job_facets=said.job_facets | ({"sql": sql} if logic.get("definition") else {}),
        inputs=[told.dataset(str(one.get("dataset"))) for one in logic.get("reads", ())],
        outputs=[told.dataset(piece.dataset)],
    )


def _written(told: _Told, piece: Piece, found: dict[str, Volume]) -> list[Facts]:
    """What an attempt has written. Of Bronze it is visible at once; of what is above, when the run is published."""
    names = sorted(found) if piece.dataset is None else [piece.dataset]
    seen = facets.version(told.row.position) if piece.dataset is None else {}
    outputs = []
    for name in names:
        volume = found.get(name, Volume(0, 0, 0))
        outputs.append(told.dataset(name, facets=seen | _columns(told, name), outputFacets=facets.statistics(*volume)))
    return outputs


# -- what is known of a dataset


def _job_type(kind: str) -> Facts:
    return {
        "jobType": facets.published(
            "JobTypeJobFacet", processingType="BATCH", integration="TRADEX_LEDGER", jobType=kind
        )
    }


def _logic(told: _Told, dataset: str) -> Facts:
    """The logic of a dataset as of the event."""
    for one in of_stream(told.store, stream_of(dataset), ("dataset.logic_versioned",)):
        if one.position < told.row.position:
            return entry_of(told.store.ledger, one).data
    return {}


def _columns(told: _Told, dataset: str) -> Facts:
    found = _logic(told, dataset).get("columns")
    return facets.columns(found) if found else {}
