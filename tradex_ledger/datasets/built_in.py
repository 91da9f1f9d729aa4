"""The pipeline that comes with the program."""

from __future__ import annotations

from pathlib import Path

PIPELINE = "x"
BUILT_IN = Path(__file__).parents[1] / "pipelines" / PIPELINE
