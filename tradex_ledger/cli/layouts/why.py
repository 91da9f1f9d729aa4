"""Why a partition is as it is, in sentences: what made it, of what, and who asked, allowed and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from tradex_ledger.cli.cells import cell
from tradex_ledger.cli.layouts.run import days_text
from tradex_ledger.cli.stages import folds
from tradex_ledger.cli.terminal import size_of
from tradex_ledger.cli.words import short
from tradex_ledger.domain.day import last_before
from tradex_ledger.domain.layers import LAYERS

if TYPE_CHECKING:
    from tradex_ledger.audit.documents.why import Behind, Decision, LogicBehind, RunBehind, Version, WhyDocument
    from tradex_ledger.audit.origins import Batch, Build
    from tradex_ledger.cli.show import Show

WIDTH = 80
_ROWS = 5
"""Rows of a dataset that are shown to a person."""
_KEPT = {
    "identical": "It was built anew and came out byte for byte as it was: the file that was there stays",
    "reused": "It was not built again, since no input had changed: the file that was there stays",
}


def why(show: Show, document: WhyDocument) -> None:
    """A partition's story on a terminal of 80 columns."""
    for text in (_what(document), *_version(document)):
        _say(show, text)
    show.line()
    _say(show, "Logic:")
    for logic in document.logic:
        _item(show, _logic(logic))
    show.line()
    _say(show, "Made of, back to Bronze:" if document.inputs else "The batches that it is made of:")
    for text in (*_builds(document.inputs), *_batches(document.batches)):
        _item(show, text)
    if document.inputs and all(build.is_proven for build in document.inputs):
        _say(show, f"That is so by the digests on record of what each was made of: {len(document.inputs)} of them.")
    show.line()
    _say(show, "Who:")
    for run in document.runs:
        _item(show, _run(run))
        for decision in run.decisions:
            _item(show, _decision(decision), 4)
    for behind in document.row:
        _rows(show, behind)
    for logic in document.logic:
        if logic.definition is not None:
            show.line()
            show.line(f"-- {logic.dataset}, version {logic.logic_version}")
            show.lines(logic.definition)
    for text in document.warnings:
        show.warning(text)
    _hint(show, document)


def _hint(show: Show, document: WhyDocument) -> None:
    if document.layer != LAYERS[0] and not document.row:
        show.note(f"next: tradex audit reproduce {document.dataset} {document.partition} (builds it again)")


def _say(show: Show, text: str, space: str = "", after: str = "") -> None:
    """A text on lines as wide as the terminal, or as a page of a file; those after the first are set in by `after`."""
    width = size_of(show.out)[0] if show.out.isatty() else WIDTH
    for line in folds(space + " ".join(text.split()), width, after):
        show.line(line)


def _item(show: Show, text: str, indent: int = 2) -> None:
    space = " " * indent
    _say(show, text, space, space + "  ")


def _what(document: WhyDocument) -> str:
    version = "" if document.logic_version is None else f", version {document.logic_version}"
    return f"{document.dataset} of {document.partition}{version}: {_count(document.rows, 'row')}."


def _version(document: WhyDocument) -> Iterator[str]:
    version, before = document.version, document.replaced
    if version is None:
        return
    maker = next(run for run in document.runs if run.run_id == version.run_id)
    published = f" at {_moment(version.published_at)}" if version.published_at else ""
    yield (
        f"It was made by {maker.run_id}, {_kind(maker)} (position {version.position}), and published{published} "
        f"(position {version.published_position})."
    )
    if version.outcome in _KEPT:
        written = document.written
        by = f", which {written.run_id} wrote (position {written.position})" if written else ""
        yield f"{_KEPT[version.outcome]}{by}."
    if before is None:
        yield "It replaced nothing: readers had no such day before."
        return
    under = "" if before.logic_version == version.logic_version else f" under version {before.logic_version}"
    yield (
        f"It replaced what {before.run_id} made{under} (position {before.position}): {_count(before.rows, 'row')}, "
        f"{_difference(version, before)}."
    )
    if document.others:
        made = ", ".join(f"{one.run_id} ({one.state}, position {one.position})" for one in document.others)
        yield f"Beside these, it was built by {made}."


def _difference(version: Version, before: Version) -> str:
    """What became of the file of the version before."""
    if version.files == before.files:
        return "of which all was kept"
    return f"of which no file was kept ({version.rows - before.rows:+d} rows)"


def _logic(logic: LogicBehind) -> str:
    state = " (deprecated)" if logic.is_deprecated else "" if logic.is_current else " (not the newest)"
    through = f", through {logic.indirect}" if logic.indirect else ""
    return (
        f"{logic.dataset} version {logic.logic_version}{state}, by {logic.versioned_by} at "
        f"{_moment(logic.versioned_at)}: {logic.reason}{through}; text {logic.definition_sha256[:16]}…"
    )


def _builds(builds: Sequence[Build]) -> Iterator[str]:
    """A line for the days of a dataset that one run made; what is nearest to the answer first."""
    order = list(dict.fromkeys(build.dataset for build in reversed(builds)))
    ranked = sorted(builds, key=lambda build: (order.index(build.dataset), -build.position))
    for (dataset, run, version), group in groupby(
        ranked, key=lambda build: (build.dataset, build.run_id, build.logic_version)
    ):
        made = list(group)
        yield (
            f"{dataset} of {_days(build.partition for build in made)}: version {version}, by {run}, "
            f"{_positions([build.position for build in made])}; {_count(sum(b.rows for b in made), 'row')}"
        )


def _batches(batches: Sequence[Batch]) -> Iterator[str]:
    ranked = sorted(batches, key=lambda batch: (batch.dataset, batch.run_id, batch.position))
    for (dataset, run), group in groupby(ranked, key=lambda batch: (batch.dataset, batch.run_id)):
        made = list(group)
        yield (
            f"{dataset} of {_days(batch.partition for batch in made)}: {_count(len(made), 'batch')} by {run}, "
            f"{_positions([batch.position for batch in made])}; {_count(sum(b.rows for b in made), 'row')}, "
            f"{_count(sum(b.dropped for b in made), 'duplicate')} dropped"
        )


def _run(run: RunBehind) -> str:
    range_ = days_text(run.first_day, run.last_day)
    asked = f"{run.run_id}, {_kind(run)} over {range_}, asked for by {run.requested_by} at {_moment(run.requested_at)}"
    why_ = f": {run.reason}" if run.reason else ""
    ticket = f" ({run.ticket})" if run.ticket else ""
    took = "".join(
        f"; it took what {one.source} had of {one.cursor_from[:10] if one.cursor_from else 'the beginning'} to "
        f"{last_before(one.cursor_to)}"
        for one in run.extractions
    )
    return f"{asked}{why_}{ticket}{took}"


def _decision(decision: Decision) -> str:
    who = f"by the rule {decision.rule}" if decision.rule else f"by {decision.by}"
    reason = f": {decision.reason}" if decision.reason else ""
    plan = f", the plan {decision.plan_digest[:12]}" if decision.plan_digest else ""
    base = f", made on what was known at position {decision.base}" if decision.base is not None else ""
    seen = f", who was shown position {decision.seen}" if decision.seen is not None else ""
    signed = f", signed with {decision.key or 'a key'}" if decision.is_signed else ""
    at = f"{decision.at[:19].replace('T', ' ')}Z"
    return f"{decision.decision} {who} at {at} (position {decision.position}){plan}{base}{seen}{signed}{reason}"


def _rows(show: Show, behind: Behind) -> None:
    show.line()
    by = f" by {', '.join(behind.by)}" if behind.by else ""
    rows = behind.rows[:_ROWS]
    first = f", the newest {len(rows)} of them (more with --json)" if len(rows) < behind.total else ""
    _say(show, f"{behind.dataset}{by}: {_count(behind.total, 'row')}{first}")
    for row in rows:
        _item(show, ", ".join(f"{name} {short(cell(value), 60)}" for name, value in row.items()))


def _kind(run: RunBehind) -> str:
    return "the incremental run" if run.kind == "incremental" else f"the {run.kind} backfill"


def _days(days: Iterable[str]) -> str:
    found = sorted(set(days))
    return found[0] if len(found) == 1 else f"{len(found)} days, {found[0]}..{found[-1]}"


def _positions(positions: Sequence[int]) -> str:
    first, last = min(positions), max(positions)
    return f"position {first}" if first == last else f"positions {first}..{last}"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}es" if noun.endswith("ch") else f"{count} {noun}s"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"
