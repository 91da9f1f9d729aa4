"""What is worked with, gathered once: the ledger, the definitions, the policy, the sources, and who asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from tradex_ledger.datasets.definition import Pipeline
from tradex_ledger.datasets.intake import Intake, intakes
from tradex_ledger.domain.dataset import Dataset, stream_of
from tradex_ledger.domain.layers import LAYERS
from tradex_ledger.domain.policy import Policy
from tradex_ledger.domain.policy_record import STREAM as POLICY_STREAM
from tradex_ledger.domain.policy_record import PolicyRecord
from tradex_ledger.domain.words import Words
from tradex_ledger.ledger.application import Ledger
from tradex_ledger.planning.base import Base, read_base
from tradex_ledger.planning.catalog import Catalogs
from tradex_ledger.planning.words import words_in
from tradex_ledger.sources import places
from tradex_ledger.sources.source import Source


@dataclass(frozen=True)
class Scope:
    """One workspace as a command found it, and `by` whom it is used. It reads; it writes nothing.

    `unregistered` are datasets that the ledger does not know yet: what plans for them records nothing.
    """

    ledger: Ledger
    catalogs: Catalogs
    pipeline: Pipeline
    policy: Policy
    places: places.Places
    by: str
    clock: Callable[[], datetime]
    unregistered: Mapping[str, Dataset] = field(default_factory=dict)

    def locks(self) -> dict[str, Dataset]:
        """All datasets as they are now."""
        return {name: self.lock(name) for name in self.pipeline.definitions}

    def lock(self, name: str) -> Dataset:
        """A dataset of the pipeline as it is now."""
        return self.unregistered.get(name) or self.ledger.get(Dataset, stream_of(name), "dataset")

    def base(self) -> Base:
        """What a decision made now stands on."""
        return read_base(self.locks, self.ledger.position, self.catalogs.at)

    def policy_of_now(self) -> Policy:
        """The policy on record now: a drive may have begun hours ago."""
        if self.ledger.version_of(POLICY_STREAM) == 0:
            return self.policy
        return self.ledger.get(PolicyRecord, POLICY_STREAM, "policy").policy

    @cached_property
    def intakes(self) -> tuple[Intake, ...]:
        """What each source fills. Raises `DefinitionError`."""
        return tuple(intakes(self.pipeline))

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Each source by its name. Raises: `NoPlaceError`, `UnknownReaderError`, `UsageError`."""
        opened = self.places.open([intake.source for intake in self.intakes])
        return {i.source: Source(i.source, opened[i.source], i.reader) for i in self.intakes}

    @cached_property
    def words(self) -> Words:
        """What rows are called. Raises: `DefinitionError`, `UnknownReaderError`."""
        return words_in(self.intakes)

    def asked(self, dataset: str | None) -> list[Intake]:
        """What is filled for who asks for a dataset of Bronze, or for the layer; for None, everything."""
        wanted = (None, LAYERS[0])
        return [i for i in self.intakes if dataset in wanted or dataset in (d.name for d in i.datasets)]

    def described(self, asked: Iterable[Intake]) -> str:
        """The places of some sources as events have them."""
        found = {name: source.place for name, source in self.sources.items()}
        return places.described(found, [intake.source for intake in asked])

    def are_meant(self, asked: Iterable[Intake], text: str) -> bool:
        """Whether an event's text means the places of these sources, as the settings have them now."""
        found = {name: source.place for name, source in self.sources.items()}
        return places.are_meant(found, [intake.source for intake in asked], text)
