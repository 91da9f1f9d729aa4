"""Wheels of the program, of today's tree and of an older commit, and an environment that they are installed into.

They are put together here as the build backend would, since that is not among what tests have; `make wheel` builds and
uses the true one.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.kit.tree import ROOT

PARTS = {
    "tradex_ledger/": "tradex_ledger/",
    "schema/": "tradex_ledger/schema/",
    "projections/": "tradex_ledger/projections/",
}
_SAID = "tradex_ledger/__init__.py"


def of_tree(folder: Path, version: str) -> Path:
    """A wheel of the working tree."""
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for part in PARTS
        for path in sorted((ROOT / part).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    return _packed(folder, version, files)


def of_commit(folder: Path, commit: str, version: str) -> Path:
    """A wheel of an older commit, where the history is at hand, with a version of its own."""
    archive = ["git", "-C", str(ROOT), "archive", commit, *(part.rstrip("/") for part in PARTS)]
    done = subprocess.run(archive, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"the history does not go back to {commit} here")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as found:
        members = {one.name: found.extractfile(one) for one in found if one.isfile()}
        files = {name: content.read() for name, content in members.items() if content is not None}
    return _packed(folder, version, files)


def _packed(folder: Path, version: str, files: dict[str, bytes]) -> Path:
    wheel, about = folder / f"tradex_ledger-{version}-py3-none-any.whl", f"tradex_ledger-{version}.dist-info"
    said = re.sub(rb'__version__ = ".*"', f'__version__ = "{version}"'.encode(), files[_SAID])
    with zipfile.ZipFile(wheel, "w") as made:
        for name, content in {**files, _SAID: said}.items():
            (start,) = [start for start in PARTS if name.startswith(start)]
            made.writestr(PARTS[start] + name.removeprefix(start), content)
        made.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: tradex-ledger\nVersion: {version}\n")
        made.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        made.writestr(f"{about}/entry_points.txt", "[console_scripts]\ntradex = tradex_ledger.cli.signals:start\n")
        made.writestr(f"{about}/RECORD", "".join(f"{name},,\n" for name in made.namelist()))
    return wheel


def environment(folder: Path) -> Path:
    """An environment that has what this one has, but for the program; returns its Python."""
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    (packages,) = folder.glob("lib/python*/site-packages")
    around = [path for path in sys.path if Path(path).name == "site-packages"]
    (packages / "around.pth").write_text("".join(f"{path}\n" for path in around), encoding="utf-8")
    return python
