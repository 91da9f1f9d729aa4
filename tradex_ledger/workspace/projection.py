"""Commands on the read side as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from tradex_ledger.audit.documents.projection import RebuiltDocument, contracts
from tradex_ledger.driving.execution import Progress, silent
from tradex_ledger.errors import NotFoundError
from tradex_ledger.lake.storage import translate
from tradex_ledger.views import resolve

if TYPE_CHECKING:
    from tradex_ledger.workspace.core import Core

__all__ = ["Projections", "contracts"]


class Projections:
    """What is asked of the read side as a whole; nothing is recorded by it."""

    def __init__(self, core: Core) -> None:
        self.core = core

    def rebuild(
        self,
        file: Path | None = None,
        *,
        as_of: str | None = None,
        copy: Path | None = None,
        progress: Progress = silent,
    ) -> RebuiltDocument:
        """Write the events and all projections as of a position into a new file; None: one that is named after both.

        `copy` is a folder with the files of the lake, for views. Raises: `NotFoundError`, `FileThereError`,
        `EnvironmentFault`.
        """
        from tradex_ledger.audit.rebuild import rebuild

        store, core = self.core.ledger.store, self.core
        position = resolve(store, as_of)
        target = file if file is not None else Path(f"tradex-{store.ledger}-{position.position}.duckdb")
        for folder in (target.parent, *([copy] if copy is not None else [])):
            if not folder.is_dir():
                raise NotFoundError(f"there is no folder {folder}", mend="make it, or name another place")
        try:
            return rebuild(
                store,
                core.lake,
                target,
                as_of=position,
                made_at=core.clock(),
                copy=copy.resolve() if copy is not None else None,
                progress=lambda done, total: progress(f"write {target.name}", done, total),
            )
        except (OSError, duckdb.Error) as error:
            raise translate(error, f"writing {target}") from error
