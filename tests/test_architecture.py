"""Each contract of import-linter fails when it is broken: shown on a copy of the package with imports that break it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def contracts() -> list[dict[str, Any]]:
    """Those of pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: list[dict[str, Any]] = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy in which the first source of each contract imports all that it must not."""
    folder = tmp_path_factory.mktemp("architecture")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(ROOT / "tradex_ledger", folder / "tradex_ledger", ignore=shutil.ignore_patterns("__pycache__"))
    for contract in contracts():
        if contract["type"] == "forbidden":
            place = (
                folder
                / contract["source_modules"][0].replace(".", "/")
                / f"breaks_{contract['id'].replace('-', '_')}.py"
            )
            place.write_text("".join(f"import {name}\n" for name in contract["forbidden_modules"]), encoding="utf-8")
    (folder / "tradex_ledger" / "domain" / "breaks_layers.py").write_text(
        "import tradex_ledger.cli\n", encoding="utf-8"
    )
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stderr
    return re.sub(r"\x1b\[[0-9;]*m", "", ended.stdout)


@pytest.mark.parametrize("contract", contracts(), ids=lambda contract: contract["id"])
def test_a_contract_that_is_broken_fails(report: str, contract: dict[str, Any]) -> None:
    assert f"{contract['name']} BROKEN" in " ".join(report.split())
    for name in contract.get("forbidden_modules", ()):
        assert f"-> {name} " in report.replace("\n", " ").replace("(", " (")


def test_the_page_of_the_house_names_every_room_in_the_order_of_the_layers() -> None:
    (layers,) = [contract["layers"] for contract in contracts() if contract["type"] == "layers"]
    told = re.findall(r"^\| (`.+?`) \|", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.M)
    rooms = [name.partition("/")[0] for row in told for name in re.findall(r"`([\w/]+)`", row)]
    wanted = [name for layer in layers for name in re.findall(r"(?<!\()\b\w+\b", layer)]
    assert rooms == wanted
