"""What a dataset refuses, in its own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tradex_ledger.domain.day import Day, iso
from tradex_ledger.domain.differences import PlacedDifference
from tradex_ledger.domain.protection import Protection
from tradex_ledger.errors import NotFoundError, RefusedError


class SameLogicError(RefusedError):
    """A new version needs new logic."""

    code = "same-logic"

    def __init__(self, dataset: str, version: int) -> None:
        super().__init__(
            f"the logic of {dataset} is that of version {version} already",
            mend=f"change its definition ({dataset}.sql) first; comments and spacing are no logic",
        )


class DeprecatedVersionError(RefusedError):
    """No run may write under a deprecated version."""

    code = "deprecated-version"

    def __init__(self, dataset: str, version: int) -> None:
        super().__init__(
            f"version {version} of {dataset} is deprecated: nothing may be written under it",
            mend=f"restore it: tradex dataset restore {dataset} {version} --reason …; "
            f"or change the logic, and give it a version: tradex dataset bump {dataset} --reason …",
        )


class AlreadyDeprecatedError(RefusedError):
    """A version is deprecated once."""

    code = "deprecated-already"

    def __init__(self, dataset: str, version: int) -> None:
        super().__init__(
            f"version {version} of {dataset} is deprecated already",
            mend=f"nothing is to be done; to take it back: tradex dataset restore {dataset} {version} --reason …",
        )


class NotDeprecatedError(RefusedError):
    """Only what is deprecated is restored."""

    code = "not-deprecated"

    def __init__(self, dataset: str, version: int) -> None:
        super().__init__(
            f"version {version} of {dataset} is not deprecated",
            mend=f"nothing is to be done; see its versions: tradex dataset show {dataset}",
        )


class NoSuchVersionError(NotFoundError):
    """The dataset has no such logic version."""

    code = "no-such-version"

    def __init__(self, dataset: str, version: int, newest: int) -> None:
        super().__init__(
            f"{dataset} has no version {version}: its versions are 1 to {newest}",
            mend=f"see them: tradex dataset show {dataset}",
        )


class ProtectedError(RefusedError):
    """Partitions are under protection: planning over them is refused."""

    code = "protected"

    def __init__(self, dataset: str, held: Protection) -> None:
        super().__init__(
            f"{dataset} {held.days} is protected: {held.reason}",
            mend="leave those days out, or lift it: "
            f"tradex dataset unprotect {dataset} --from {iso(held.first)} --to {iso(held.last)} --reason …",
        )


class AlreadyProtectedError(RefusedError):
    """The same days are held once for one reason."""

    code = "protected-already"

    def __init__(self, dataset: str, held: Protection) -> None:
        super().__init__(
            f"{dataset} {held.days} is protected for that reason already: {held.reason}",
            mend=f"nothing is to be done; see its protections: tradex dataset show {dataset}",
        )


class NotProtectedError(RefusedError):
    """Only what is held is let go."""

    code = "not-protected"

    def __init__(
        self, dataset: str, first: Day, last: Day, protection: str | None, protected: Sequence[Protection]
    ) -> None:
        known = "; ".join(f"{held.days} ({held.reason})" for held in protected) or "nothing"
        for_that = f" for {protection!r}" if protection is not None else ""
        super().__init__(
            f"{dataset} {iso(first)}..{iso(last)} is not protected{for_that}; protected is: {known}",
            mend="name the range just as it was protected: --from … --to …"
            + (", and 4 characters or more of the reason's beginning" if protection is not None else ""),
        )


class SeveralProtectionsError(RefusedError):
    """The same days are held for several reasons: each is let go by itself."""

    code = "several-protections"

    def __init__(self, dataset: str, first: Day, last: Day, reasons: Sequence[str]) -> None:
        super().__init__(
            f"{dataset} {iso(first)}..{iso(last)} is protected {len(reasons)} times: {'; '.join(reasons)}",
            mend="say which is lifted, by the beginning of its reason: --protection …",
        )


class LossRefusedError(RefusedError):
    """What is there is not declared lost, and nobody confirms what they declared."""

    code = "loss-refused"

    def __init__(
        self, message: str, *, mend: str = "see what is missing or changed: tradex lake lost", code: str = ""
    ) -> None:
        super().__init__(message, mend=mend, code=code)


class PruneRefusedError(RefusedError):
    """Those files may not be removed."""

    code = "prune"

    def __init__(self, message: str, *, mend: str = "", code: str = "") -> None:
        usual = "only old versions of Silver and Gold are given up: superseded, reverted, abandoned or deprecated ones"
        super().__init__(message, mend=mend or usual, code=code)


class BumpedMeanwhileError(RefusedError):
    """What was begun with one logic is not finished as another."""

    code = "logic-bumped"

    def __init__(self, dataset: str, version: int, current: int) -> None:
        super().__init__(
            f"{dataset} got version {current} while the run was under way with the logic of version {version}",
            mend="an incremental run goes on with the new one: tradex run; "
            "a backfill is cancelled and requested again: tradex backfill cancel ID --reason …",
        )


class DefinitionsChangedError(RefusedError):
    """Definitions are gone, or are those of other datasets: nothing is run with what is left (N27)."""

    code = "definitions-changed"

    def __init__(self, found: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(message for message, _ in found), mend="; ".join(mend for _, mend in found))


class LogicChangedError(RefusedError):
    """Changing logic without a new version is refused (N27)."""

    code = "logic-changed-without-version"

    def __init__(self, changed: Mapping[str, tuple[int, Sequence[str]]]) -> None:
        told = [
            f"the logic of {dataset} is not that of its version {version} any more: {'; '.join(what)}"
            for dataset, (version, what) in changed.items()
        ]
        one = f"give it a version: tradex dataset bump {next(iter(changed))} --reason …"
        several = "; all at once: tradex dataset bump --changed --reason …" if len(changed) > 1 else ""
        super().__init__("; ".join(told), mend=f"{one}{several}; or go back to what that version had")


class NothingChangedError(RefusedError):
    """There is nothing that would need a version."""

    code = "nothing-changed"

    def __init__(self, datasets: int) -> None:
        super().__init__(
            f"the logic of all {datasets} datasets is that of their versions already",
            mend="nothing is to be done; comments and spacing are no logic",
        )


class EngineChangedRowsError(RefusedError):
    """Another engine gives other rows for the same inputs: it is a change of logic."""

    code = "engine-changed-rows"

    def __init__(self, engine: str, found: Mapping[str, tuple[int, Sequence[PlacedDifference]]]) -> None:
        told = [
            f"{dataset} version {version}: {differences[0].in_words()}"
            for dataset, (version, differences) in found.items()
        ]
        name = f"{next(iter(found))} " if len(found) == 1 else ""
        super().__init__(
            f"{engine} gives other rows than what they were built with: {'; '.join(told)}",
            mend=f"if the new rows are as good: tradex engine accept {name}--reason …; if they are to be told apart: "
            f"tradex dataset bump {name or '--changed '}--reason …; or use the engine that built them "
            "(tradex engine list)",
        )


class EngineNotRefusedError(RefusedError):
    """Only an engine that was refused is accepted."""

    code = "engine-not-refused"

    def __init__(self, dataset: str, version: int, engine: str, verdict: str | None) -> None:
        known = f"the verdict on it is: {verdict}" if verdict else "nothing is known of it"
        super().__init__(
            f"{engine} is not refused for version {version} of {dataset}: {known}",
            mend="nothing is to be done; see the verdicts: tradex engine list",
        )


class NoEngineRefusedError(RefusedError):
    """No dataset waits for an engine to be accepted."""

    code = "engine-not-refused"

    def __init__(self, engine: str) -> None:
        super().__init__(
            f"{engine} is refused for no dataset",
            mend="nothing is to be done; see the verdicts: tradex engine list",
        )
