"""The facets of OpenLineage that events are told in, the published ones and ours, each with the schema it keeps.

https://openlineage.io/docs/spec/facets; ours are defined in `schema/openlineage/facets.json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tradex_ledger.domain.day import day_of, later, start_of
from tradex_ledger.domain.facts import Facts

PRODUCER = "urn:tradex-ledger"
EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
OURS = "urn:tradex-ledger:openlineage:facets:v1"
_PUBLISHED = {
    "DatasetVersionDatasetFacet": "1-0-1",
    "ErrorMessageRunFacet": "1-0-1",
    "JobTypeJobFacet": "2-0-4",
    "NominalTimeRunFacet": "1-0-1",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "ParentRunFacet": "1-2-0",
    "ProcessingEngineRunFacet": "1-1-1",
    "SQLJobFacet": "1-1-0",
    "SchemaDatasetFacet": "1-2-0",
}


def published(facet: str, **said: object) -> Facts:
    """One that OpenLineage defines."""
    where = f"https://openlineage.io/spec/facets/{_PUBLISHED[facet]}/{facet}.json#/$defs/{facet}"
    return {"_producer": PRODUCER, "_schemaURL": where, **said}


def ours(facet: str, **said: object) -> Facts:
    """One of `schema/openlineage/facets.json`."""
    return {"_producer": PRODUCER, "_schemaURL": f"{OURS}#/$defs/{facet}", **said}


def nominal(first: str, until: str) -> Facts:
    """The time that a run is about, its end excluded."""
    return {"nominalTime": published("NominalTimeRunFacet", nominalStartTime=first, nominalEndTime=until)}


def days(first: str, last: str) -> Facts:
    """The same, of days that both count."""
    return nominal(start_of(day_of(first)), start_of(later(day_of(last), 1)))


def error(message: str) -> Facts:
    """Why a run failed."""
    return {"errorMessage": published("ErrorMessageRunFacet", message=message, programmingLanguage="PYTHON")}


def statistics(rows: int, size: int, files: int | None = None) -> Facts:
    """What was written to a dataset."""
    known = {} if files is None else {"fileCount": files}
    facet = published("OutputStatisticsOutputDatasetFacet", rowCount=rows, size=size, **known)
    return {"outputStatistics": facet}


def version(position: int) -> Facts:
    """A version of a dataset is the position at which it came to be: `--as-of` takes it."""
    return {"version": published("DatasetVersionDatasetFacet", datasetVersion=str(position))}


def columns(found: Iterable[Mapping[str, str]]) -> Facts:
    """The columns of a dataset in their order."""
    fields = [
        {"name": one.get("name"), "type": one.get("type"), "ordinal_position": number}
        for number, one in enumerate(found, 1)
    ]
    return {"schema": published("SchemaDatasetFacet", fields=fields)}
