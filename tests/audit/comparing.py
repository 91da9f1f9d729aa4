"""A process that holds two files against each other; `whole`, as if they could not be cut, in little memory.

Prints how many rows changed, and the most memory (MB) that it held. A limit is of the bytes of any file it writes.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from tests.benchmarks.bench_diff import differ
from tests.kit.memory import most_mb
from tradex_ledger.audit import cuts, diff
from tradex_ledger.errors import EnvironmentFault


def main(workspace: str, folder: str, rows: str, how: str = "", limit: str = "") -> int:
    if how == "whole":
        diff.MEMORY = "40MB"
        vars(diff)["pieces"] = lambda *_: [cuts.WHOLE]
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    try:
        found = differ(Path(workspace), Path(folder), 1, int(rows))
    except EnvironmentFault as error:
        print(json.dumps([error.code, error.message, error.mend]))
        return error.exit_status
    print(json.dumps([found, most_mb()]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
