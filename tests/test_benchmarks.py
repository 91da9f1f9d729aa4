"""Each benchmark still runs, in its small size: what it says then means nothing, but that it ends is a promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import measure

SCRIPTS = sorted(path.name for path in Path(measure.__file__).parent.glob("bench_*.py"))
BOUND_S = 600


@pytest.mark.soak
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_benchmark_runs(script: str, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, str(Path(measure.__file__).with_name(script)), "--quick", "--work", str(tmp_path / "work")],
        capture_output=True, text=True, timeout=BOUND_S, env=measure.environment(), cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "median" in done.stdout or "MB" in done.stdout, done.stdout[-500:]
