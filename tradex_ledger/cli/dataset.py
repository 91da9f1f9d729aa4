"""`tradex dataset`: what there is, in which version, with which partitions."""

from __future__ import annotations

import click

from tradex_ledger.cli.common import Call, as_of_option, command
from tradex_ledger.cli.show import cell


@click.group("dataset")
def dataset() -> None:
    """Datasets, their logic versions and partitions."""


@command(dataset, "list", example="tradex dataset list")
@as_of_option
def list_(call: Call, as_of: str | None) -> None:
    """All datasets, upstream first."""
    from tradex_ledger.audit.describe import Reader

    with call.open() as workspace:
        found = Reader(workspace.ledger, as_of).datasets()
    if call.as_json:
        call.show.document(found)
        return
    columns = (
        "dataset",
        "layer",
        "logic_version",
        "partitions",
        "first",
        "last",
        "rows",
        "bytes",
        "published_at",
    )
    call.show.table(found, columns)


@command(dataset, "show", example="tradex dataset show gold_signals --partitions")
@click.argument("name")
@click.option("--partitions", is_flag=True, help="List the current partitions, too.")
@as_of_option
def show_(call: Call, name: str, partitions: bool, as_of: str | None) -> None:
    """One dataset: versions, reads, definition, and what is stale in it."""
    from tradex_ledger.audit.describe import Reader

    with call.open() as workspace:
        reader = Reader(workspace.ledger, as_of)
        document = reader.dataset(name)
        if partitions:
            document["current"] = reader.rows("partitions", "dataset = ? order by partition, logic_version", name)
    show = call.show
    if show.as_json:
        show.document(document)
        return
    reads = ", ".join(f"{r['dataset']} {r['first']:+}d..{r['last']:+}d" for r in document["reads"] or ())
    show.facts(
        {
            **{
                k: document[k]
                for k in ("dataset", "layer", "component", "partitions", "first", "last", "rows", "bytes")
            },
            "reads": reads,
            "stale": f"{len(document['stale'])} partitions",
        }
    )
    show.line()
    show.table(
        document["versions"],
        ("logic_version", "is_current", "fingerprint", "reason", "versioned_by", "versioned_at"),
    )
    if partitions:
        show.line()
        rows = [{**row, "files": len(row["files"] or ())} for row in document["current"]]
        show.table(
            rows,
            ("partition", "logic_version", "rows", "bytes", "files", "outcome", "run_id", "published_at"),
        )
        return
    show.line()
    show.line(cell(document["versions"][-1]["definition"]))
