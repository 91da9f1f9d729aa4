"""Commands of one process: `python tests/ledger/asking_process.py FOLDER`, which are said in JSON to it.

What it answers in JSON: each command's exit status, what it said, and the tree of the folder right after it.
"""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from tradex_ledger.cli.main import run

Tree = dict[str, list[int]]


def tree(folder: Path) -> Tree:
    """Names, kinds, sizes and times of change of everything in a folder."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        stat = path.stat()
        found[str(path.relative_to(folder))] = [stat.st_mode, stat.st_size, stat.st_mtime_ns]
    return found


def main(folder: str) -> None:
    """Run them one after the other."""
    answers = []
    for arguments in json.load(sys.stdin):
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            status = run(["-C", folder, *arguments])
        try:
            left = tree(Path(folder))
        except PermissionError:
            left = {}  # who may not look need not tell
        answers.append([status, out.getvalue(), err.getvalue(), left])
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
