"""Notices of posts that are to be shown no more, or again: laid down where retractions are delivered to, one a line.

The event that is then saved names the file: the next run that takes it leaves the posts out. A crash between the two
leaves notices that count all the same, and no event says who told them; who says it again adds one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import orjson

from tradex_ledger.datasets.fingerprint import describe_all
from tradex_ledger.errors import RefusedError
from tradex_ledger.lake.storage import translate
from tradex_ledger.ledger.entry import format_time
from tradex_ledger.outside import JsonObject
from tradex_ledger.sources.called import lay_down
from tradex_ledger.sources.files import FilesPlace
from tradex_ledger.sources.x_posts.retractions import holds_back
from tradex_ledger.workspace import Workspace

READER = "x_retractions"
POSTS = "bronze_x_posts"
MADE = "min(case when created_at::date = event_date then created_at else event_date::timestamp end)"
"""SQL: when a post was made, in the day in which it lies: there its notice must lie, too."""


class NoRetractionsError(RefusedError):
    """The pipeline leaves out nothing: nobody reads retractions."""

    code = "no-retractions"

    def __init__(self) -> None:
        super().__init__(
            "no dataset of this pipeline has retractions, so nothing would be left out",
            mend="give it one, as examples/retractions does, and a folder for its source",
        )


class NoQuarantinesError(RefusedError):
    """The pipeline can leave out posts for good only."""

    code = "no-quarantines"

    def __init__(self, dataset: str) -> None:
        super().__init__(
            f"{dataset} has no columns for quarantines, so that nothing could be released again",
            mend="define it, and what reads it, as examples/retractions does; or leave posts out for good: "
            "tradex retract",
        )


@dataclass(frozen=True, slots=True)
class Notices:
    """The source that notices are delivered to, and the folder that it reads."""

    dataset: str
    source: str
    place: FilesPlace
    holds: bool

    @staticmethod
    def of(workspace: Workspace, *, holding: bool = False) -> Notices:
        """Where the pipeline takes retractions from; `holding`: quarantines, too.

        Raises: `NoRetractionsError`, `NoQuarantinesError`.
        """
        scope = workspace.core.scope()
        for intake in scope.intakes:
            place = scope.sources[intake.source].place
            if (intake.rows.reader or intake.source) == READER and isinstance(place, FilesPlace):
                holds = holds_back(intake.stated(describe_all(workspace.core.pipeline)))
                if holding and not holds:
                    raise NoQuarantinesError(intake.rows.name)
                return Notices(intake.rows.name, intake.source, place, holds)
        raise NoRetractionsError

    @property
    def retracted(self) -> str:
        """SQL: the posts that were retracted, which is for good; what is held back may be released."""
        return f"select post_id from {self.dataset}" + (" where quarantine = ''" if self.holds else "")

    def lay(self, name: str, lines: Iterable[JsonObject]) -> tuple[str, str]:
        """Lay notices down in a new file; its name, and its digest. Raises: `EnvironmentFault`."""
        body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        try:
            lay_down(self.place.folder / name, body)
        except OSError as error:
            raise translate(error, f"laying down {name}") from error
        return name, hashlib.sha256(body).hexdigest()


def notice(post_id: str, action: str, made: datetime, told: datetime, reason: str) -> JsonObject:
    """A line that says what is to become of a post, why, and when that was told (UTC)."""
    return {
        "id": post_id,
        "action": action,
        "created_at": f"{made.isoformat(timespec='milliseconds')}Z",
        "redacted_at": format_time(told),
        "reason": reason,
    }
