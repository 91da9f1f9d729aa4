"""What an environment is made of: pins for each direct dependency, and the installed ones are the pinned ones."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import requires, version
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.kit.tree import ROOT
from tradex_ledger.extras import NEEDED

REQUIREMENTS = ROOT / "requirements"
FILES = sorted(REQUIREMENTS.glob("*.txt"))
PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.!+]*")


def pins(name: str) -> dict[str, Version]:
    """The versions that a file pins, by normalized name."""
    lines = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    parted = [line.split("==") for line in lines if not line.startswith("#")]
    found: dict[str, Version] = {canonicalize_name(name): Version(version) for name, version in parted}
    assert len(found) == len(parted), "a name is pinned twice"
    return found


def extras() -> dict[str, list[str]]:
    """What each extra asks for."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = content["project"]["optional-dependencies"]
    return found


def direct() -> list[Requirement]:
    """What pyproject.toml asks for: to run, to develop, and to build."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*content["project"]["dependencies"], *chain(*extras().values()), *content["build-system"]["requires"]]
    return [Requirement(text) for text in asked]


def test_there_are_two_files_of_pins():
    assert [path.name for path in FILES] == ["constraints.txt", "oldest.txt"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_line_is_a_pin_and_nothing_else(path: Path):
    head, *rest = path.read_text(encoding="utf-8").split("\n# Only `make constraints` writes this file", 1)
    assert head.startswith("# ")
    lines = rest[0].splitlines()[1:]
    assert lines
    assert [line for line in lines if not PIN.fullmatch(line)] == []
    assert "://" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("asked", direct(), ids=lambda asked: asked.name)
def test_each_direct_dependency_has_a_lower_bound_and_is_pinned_within_its_bounds(asked: Requirement):
    name = canonicalize_name(asked.name)
    (lowest,) = [Version(part.version) for part in asked.specifier if part.operator == ">="]
    assert pins("oldest")[name] == lowest
    newest = pins("constraints")[name]
    assert newest >= lowest
    assert newest in asked.specifier


def test_each_extra_is_installed_by_make_and_its_packages_are_asked_for_by_name():
    (installed,) = re.findall(r"'\.\[([\w,]+)\]'", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert set(installed.split(",")) == extras().keys()
    assert NEEDED.keys() | {"dev"} == extras().keys()
    for extra, packages in NEEDED.items():
        assert set(packages) <= {Requirement(text).name for text in extras()[extra]}


def test_the_environment_is_the_one_that_is_pinned():
    environment = os.environ.get("TRADEX_TEST_ENVIRONMENT")
    if environment not in ("constraints", "oldest"):
        pytest.skip("no environment of pins: run it by make test or make oldest")
    pinned = pins(environment)
    installed = {name: Version(version(name)) for extra in extras() for name in needed("tradex-ledger", extra)}
    assert len(installed) > len(direct())
    assert {name: found for name, found in installed.items() if pinned.get(name) != found} == {}


def needed(root: str, extra: str) -> set[str]:
    """All that a distribution needs with an extra, directly and through others; tools of one's own are not among it."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = {(root, frozenset({extra}))}
    while waiting:
        name, extras = waiting.pop()
        seen.add((name, extras))
        for asked in map(Requirement, requires(name) or ()):
            if asked.marker is None or any(asked.marker.evaluate({"extra": chosen}) for chosen in extras | {""}):
                waiting.add((canonicalize_name(asked.name), frozenset(asked.extras)))
        waiting -= seen
    return {name for name, _ in seen} - {root}


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize(("target", "pinned"), [("newest", False), ("oldest", True)])
def test_an_end_of_what_is_allowed_is_tried_in_an_environment_made_for_it(target: str, pinned: bool):
    # What a make around this one has set is not meant for it.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--dry-run", target]
    said = subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, check=True, text=True).stdout
    first, second, third, *_ = said.splitlines()
    assert first == f"rm -rf .venv-{target}"
    assert second.endswith(f"-m venv .venv-{target}")
    assert "pip install" in third
    assert (f"PIP_CONSTRAINT=requirements/{target}.txt" in third) is pinned
    assert ("env -u PIP_CONSTRAINT" in third) is not pinned
    assert f"TRADEX_TEST_ENVIRONMENT={target} " in said
