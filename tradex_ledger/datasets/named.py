"""What is other in the definitions than the ledger knows: one that is gone or has another name, layer or component, or
other logic without a version. Each is named with its mend by whatever would work with them, and by whoever looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tradex_ledger.datasets.definition import Definition, Pipeline
from tradex_ledger.datasets.fingerprint import difference
from tradex_ledger.datasets.unchanged import Known
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.sources.registry import noun_of, reader_version

REMOVED, IDENTITY, LOGIC = "removed", "identity", "logic"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is other in one dataset, and what to do. `blocks`: nothing is run until that is done."""

    kind: str
    dataset: str
    message: str
    mend: str
    blocks: bool = True


def findings(pipeline: Pipeline, known: Mapping[str, Known], *, logic: bool = True) -> list[Finding]:
    """What is other in a pipeline than the ledger knows, dataset by dataset; of their logic if that is asked for.

    Raises `DefinitionError`.
    """
    found = []
    for name, facts in known.items():
        definition = pipeline.definitions.get(name)
        if definition is not None:
            identity = is_as_registered(definition, facts)
            found += [identity] if identity else _changed(definition, facts) if logic else []
        elif not facts.given_up:
            found.append(_removed(name, facts, _renamed(pipeline, known, facts)))
    return found


def is_as_registered(definition: Definition, known: Known) -> Finding | None:
    """A finding when a definition says another layer, partition or component than its dataset was registered with."""
    pairs = (
        ("layer", known.layer, definition.layer),
        ("partition", known.partition, definition.partition),
        ("component", known.component, definition.component),
    )
    told = [f"{what} is {_value(now)} and was {_value(was)}" for what, was, now in pairs if was != now]
    if not told:
        return None
    return Finding(
        IDENTITY,
        definition.name,
        f"the definition of {definition.name} is that of another dataset: its {', its '.join(told)}",
        f"go back to what it was; or call it otherwise, as a new dataset: rename {definition.name}.sql, and give up "
        f"the old one: tradex dataset deprecate {definition.name} {known.version} --reason …",
    )


def _value(text: str | None) -> str:
    return "none" if text is None else repr(text)


def _changed(definition: Definition, known: Known) -> list[Finding]:
    other = difference(definition, known.text, known.references)
    reader = reader_version(definition.read_by) if known.layer == LAYERS[0] else None
    told, row = [other] if other else [], noun_of(definition.read_by)
    if reader != known.reader:
        told.append(
            f"its {row}s are read by reader {reader}, version {known.version} was read by reader {known.reader}"
        )
    if not told:
        return []
    name = definition.name
    return [
        Finding(
            LOGIC,
            name,
            f"the logic of {name} is not that of its version {known.version} any more: {'; '.join(told)}",
            f"give it a version: tradex dataset bump {name} --reason …; or go back to what that version had",
        )
    ]


def _renamed(pipeline: Pipeline, known: Mapping[str, Known], gone: Known) -> str | None:
    """The name under which a definition that is gone is there now, as far as its text tells."""
    for name, definition in pipeline.definitions.items():
        if name not in known and (definition.text, definition.references) == (gone.text, gone.references):
            return name
    return None


def _removed(name: str, known: Known, now: str | None) -> Finding:
    there = "its days are in the lake" if known.has_data else "nothing was built of it"
    called = f" (it is called {now} now, which is another dataset: nothing was built of that)" if now else ""
    back = f"name {now}.sql {name}.sql again" if now else f"put {name}.sql back"
    return Finding(
        REMOVED,
        name,
        f"{name} has no definition any more{called}; {there}",
        f"{back}; or give the dataset up: tradex dataset deprecate {name} {known.version} --reason …",
        blocks=known.has_data,
    )
