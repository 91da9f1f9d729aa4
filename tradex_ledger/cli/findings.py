"""What `status` says of definitions that are not what the ledger knows, and of inputs that have two contents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradex_ledger.cli.common import Call

if TYPE_CHECKING:
    from tradex_ledger.audit.describe import Reader
    from tradex_ledger.config import Config


def definition_findings(config: Config, reader: Reader) -> list[dict[str, Any]]:
    """What is other in the definitions of today than in the ledger, each with its mend; nothing is run for it.

    Those of another user are not looked at until they are trusted.
    """
    from tradex_ledger.datasets.built_in import BUILT_IN, PIPELINE
    from tradex_ledger.datasets.unchanged import are_unchanged
    from tradex_ledger.errors import TradexError
    from tradex_ledger.trust import check_trusted

    folder = config.pipeline or BUILT_IN
    known = {row.pop("dataset"): row for row in reader.definitions()}
    try:
        check_trusted(config.folder, config.pipeline)
        if are_unchanged(folder, known):
            return []
        from tradex_ledger.datasets.definition import load_pipeline
        from tradex_ledger.datasets.named import Known, findings

        found = findings(
            load_pipeline(folder, config.name or PIPELINE), {name: Known(**row) for name, row in known.items()}
        )
    except TradexError as error:  # whoever runs something is refused with it
        kind = "not compared" if error.code == "untrusted" else "broken"
        return [
            {"kind": kind, "dataset": getattr(error, "dataset", None), "message": error.message, "mend": error.mend}
        ]
    return [one.as_json() for one in found]


def show_findings(call: Call, document: dict[str, Any]) -> None:
    """Both, and the policy that waits for an answer, in lines for people."""
    if policy := document["policy_waiting"]:
        call.show.note(f"a policy that {policy['by']} proposed waits: tradex policy show, approve or reject")
    for one in document["definitions"]:
        call.show.warning(f"definitions: {one['message']}")
        call.show.note(f"mend: {one['mend']}")
    for row in document["two_contents"]:
        call.show.warning(row["message"])


_STALE = """
    select dataset, count(*), count(*) filter (reason = 'never built'),
        min(partition) filter (reason = 'never built'), max(partition) filter (reason = 'never built')
    from stale_partitions
    group by 1
    order by 1
"""


def stale(reader: Any) -> list[tuple[Any, ...]]:
    """Of each dataset the stale partitions, and those that were never built: how many, the first and the last."""
    reader.rows("stale_partitions", "false")
    found: list[tuple[Any, ...]] = reader.connection.execute(_STALE).fetchall()
    return found


def show_stale(call: Call, found: list[tuple[Any, ...]]) -> None:
    """The same, with what builds them."""
    for dataset, count, never, first, last in found:
        if never:
            from tradex_ledger.planning.complete import never_built  # loads slowly, and is seldom needed

            call.show.warning(never_built(dataset, never, first, last))
        call.show.note(f'{dataset}: {count} stale partitions; see: tradex query "select * from stale_partitions"')
