"""The same bytes need the same package and the same engine: what workers have is held against what is here."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping

from tradex_ledger.errors import EnvironmentFault

PACKAGES = ("tradex-ledger", "duckdb", "pyarrow")
"""What bytes may depend on."""
Found = Mapping[str, str | None]
"""The version of each package; None where it is not installed."""


class WorkersDifferError(EnvironmentFault):
    """A cluster has other versions than the process that drives."""

    code = "workers-differ"

    def __init__(self, address: str, who: str, package: str, there: str | None, here: str | None) -> None:
        has = f"has {package} {there}" if there else f"has no {package}, or one that cannot be asked"
        super().__init__(
            f"the {who} of {address} {has}, and here it is {here}: there might be other bytes",
            mend="install what is here on the scheduler and on all workers (pip install 'tradex-ledger[dask]' "
            f"{package}=={here}), restart them, then run again: it resumes",
        )


def versions_here() -> Found:
    """What this process has."""
    return {package: version_of(package) for package in PACKAGES}


def version_of(package: str) -> str | None:
    """The version of a package here; None where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_versions(address: str, who: str, there: Found, here: Found) -> None:
    """Raise `WorkersDifferError` for the first package of which somebody (`scheduler`, `worker …`) has another one."""
    for package, version in here.items():
        if there.get(package) != version:
            raise WorkersDifferError(address, who, package, there.get(package), version)
