"""Every norm has tests, and the README says the truth about them."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache

import pytest

from tests.kit.tree import ROOT

NORMS = [f"N{number}" for number in range(1, 41)]
OF_DAGSTER = {"N28", "N31"}
LATER = "a later issue"
A_PATH = re.compile(r"`([\w./]+\.\w+)(?:::(\w+))?`")


@cache
def marked() -> dict[str, set[tuple[str, str]]]:
    """Norm → the tests (path, name) that carry its number."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for norm in marks_of(node):
                    found[norm].add((path.relative_to(ROOT).as_posix(), node.name))
    return found


def marks_of(test: ast.FunctionDef) -> list[str]:
    """The norms that a test is marked with."""
    return [
        argument.value
        for mark in test.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.norm"
        for argument in mark.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def rows() -> dict[str, list[str]]:
    """Norm → the cells of its row in the README."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| N\d+ \|", line)]
    assert len({row[0] for row in found}) == len(found)
    return {row[0]: row[1:] for row in found}


@pytest.mark.parametrize("norm", [norm for norm in NORMS if norm not in OF_DAGSTER])
def test_every_norm_has_a_test(norm: str):
    assert marked()[norm]


def test_no_test_is_marked_with_a_norm_that_there_is_not():
    assert set(marked()) <= set(NORMS)


def test_the_readme_has_a_row_for_each_norm_in_their_order():
    assert list(rows()) == NORMS


@pytest.mark.parametrize("norm", NORMS)
def test_a_row_names_files_that_there_are_and_a_test_that_carries_its_number(norm: str):
    _, lives, test = rows()[norm]
    if norm in OF_DAGSTER:
        assert (lives, test) == (LATER, LATER)
        return
    assert A_PATH.search(lives)
    assert all((ROOT / path).is_file() for path, _ in A_PATH.findall(lives))
    ((path, name),) = A_PATH.findall(test)
    held = {(p, n) for p, n in marked()[norm] if p == path and name in ("", n)}
    assert held, f"{path} has no test {name} that is marked with {norm}"
