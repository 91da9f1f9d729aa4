"""How much memory a program of a test's own has held."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def most_mb() -> float:
    """The most that this program has held, MB (RSS); `getrusage` would count the process that started it, too."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
