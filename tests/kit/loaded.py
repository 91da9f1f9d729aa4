"""Calls of the program in one process, and whether one of them loads what is heavy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from tests.kit.tree import ROOT
from tradex_ledger.extras import NEEDED

HEAVY = ("sqlalchemy", "eventsourcing", *(package for packages in NEEDED.values() for package in packages))
CODE = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from tradex_ledger.cli.main import run
most, *heavy = sys.argv[1:]
for call in json.load(sys.stdin):
    with redirect_stdout(io.TextIOWrapper(io.BytesIO())), redirect_stderr(io.StringIO()) as said:
        status = run(call)
    loaded = [name for name in heavy if name in sys.modules]
    if loaded or status > int(most):
        sys.exit(f"{call}: exit status {status}, loads {loaded}: {said.getvalue()}")
"""


def run_all(
    calls: Sequence[tuple[str, ...]], most: int = 1, heavy: tuple[str, ...] = HEAVY, **environment: str
) -> None:
    """Run calls in one process, until one loads what is heavy, or ends with more than `most` as its exit status."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(most), *heavy],
        check=False,
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
