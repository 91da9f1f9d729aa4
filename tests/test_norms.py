"""Every norm is told, has tests that run on any machine, and the pages say the truth about them."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.kit.tree import ROOT

TESTS = ROOT / "tests"
NORMS = [f"N{number}" for number in range(1, 41)]
SECTIONS = {str(number) for number in range(1, 15)} - {"4"} | {"3.1", "3.2", "3.3", "3.4", "4.1", "4.2", "4.3"}
"""The sections of the Spanish text that demand something."""
SKIPS = {"skip", "skipif", "importorskip", "skipTest"}

A_NAME = re.compile(r"`([^`]+)`")
A_LINK = re.compile(r"\[`(\w+)`\]\(\.\./([\w/]+\.py)\)")
A_HEADING = re.compile(r"^## (.+)$", re.M)
FROM = r"§ \d+(?:\.\d)? ¶ \d+(?:–\d+)?(?:, \d+(?:–\d+)?)*"
STATED = re.compile(rf"({FROM}(?:; {FROM})*): (\w.{{30,}}\.)", re.S)
"""A norm's paragraphs in the Spanish text, and the norm in sentences."""

Test = tuple[str, str]
"""A test: its file below the root, and its name."""


class Defined(NamedTuple):
    """A function or a name that a file of the tests defines; names in it mean what they mean in that file."""

    path: Path
    node: ast.FunctionDef | ast.Assign


@cache
def scope(path: Path) -> dict[str, Defined]:
    """Name → what it means in a file of the tests: from each `conftest.py` above it, from what it imports, its own."""
    seen: dict[str, Defined] = {}
    # Fixtures are for tests: a kit that a `conftest.py` imports is under that same one.
    for folder in reversed(path.parents) if path.name.startswith("test_") else ():
        above = folder / "conftest.py"
        if folder.is_relative_to(TESTS) and above.is_file():
            seen |= scope(above)
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests."):
            other = ROOT / f"{(node.module or '').replace('.', '/')}.py"
            known = scope(other) if other.is_file() else {}
            seen |= {name.asname or name.name: known[name.name] for name in node.names if name.name in known}
        elif isinstance(node, ast.FunctionDef):
            seen[node.name] = Defined(path, node)
        elif isinstance(node, ast.Assign):
            seen |= {name.id: Defined(path, node) for name in node.targets if isinstance(name, ast.Name)}
    return seen


@cache
def words(one: Defined) -> tuple[set[str], set[str]]:
    """The names in a definition, what it asks for by its arguments included, and those after a dot."""
    nodes = list(ast.walk(one.node))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    asked = {node.arg for node in nodes if isinstance(node, ast.arg)}
    return names | asked, {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def may_be_skipped(test: Test) -> bool:
    """Whether a machine may lack what a test needs: it, or a fixture, a mark or a helper that it reaches, skips."""
    path, name = test
    around = scope(ROOT / path)
    todo, met = [around[name], *([around["pytestmark"]] if "pytestmark" in around else [])], set()
    while todo:
        one = todo.pop()
        if one in met:
            continue
        met.add(one)
        names, after_a_dot = words(one)
        if (names | after_a_dot) & SKIPS:
            return True
        around = scope(one.path)
        todo += [around[known] for known in names & around.keys()]
    return False


@cache
def marked() -> dict[str, set[Test]]:
    """Norm → the tests that carry its number."""
    carried: dict[str, set[Test]] = defaultdict(set)
    for path in sorted(TESTS.rglob("test_*.py")):
        for name, one in scope(path).items():
            if one.path == path and isinstance(one.node, ast.FunctionDef) and name.startswith("test_"):
                for norm in marks_of(one.node):
                    carried[norm].add((path.relative_to(ROOT).as_posix(), name))
    return carried


def marks_of(test: ast.FunctionDef) -> list[str]:
    """The norms that a test is marked with."""
    return [
        argument.value
        for mark in test.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.norm"
        for argument in mark.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


class Row(NamedTuple):
    """A norm's row in the table of the README."""

    norm: str
    demand: str
    lives: str
    test: str


@cache
def rows() -> list[Row]:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    return [Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines if line.startswith("| [N")]


class Norm(NamedTuple):
    """A norm as `docs/NORMS.md` tells it."""

    sections: str
    lives: str
    held: list[Test]
    real: list[Test]


@cache
def told() -> dict[str, Norm]:
    """The norms by their number, in the order of the page."""
    _, *texts = A_HEADING.split((ROOT / "docs/NORMS.md").read_text(encoding="utf-8"))
    return {number: parsed(number, text) for number, text in zip(texts[::2], texts[1::2], strict=True)}


def parsed(number: str, text: str) -> Norm:
    """A norm out of its text: the statement, then where it lives, what holds it, and what needs the real posts."""
    statement, *rest = re.split(r"^- ([\w ]+):", text, flags=re.M)
    said = STATED.fullmatch(statement.strip())
    assert said, f"{number} is no statement with its paragraphs: {statement.strip()}"
    items = dict(zip(rest[::2], rest[1::2], strict=True))
    lives, held, real = (items.pop(name, "").strip() for name in ("lives in", "held by", "over the real posts"))
    assert not items, f"{number} says {items}"
    return Norm(said[1], lives, links(held), links(real))


def links(text: str) -> list[Test]:
    """The tests that a text links."""
    return [(path, name) for name, path in A_LINK.findall(text)]


def file_of(place: str) -> str:
    """The file of a module by its dotted name; of others the name is the path."""
    return place if "/" in place else f"{place.replace('.', '/')}.py"


def test_every_norm_is_told_in_order():
    assert list(told()) == NORMS


def test_every_section_that_demands_something_has_a_norm():
    sections = {section for norm in told().values() for section in re.findall(r"§ ([\d.]+)", norm.sections)}
    assert sections == SECTIONS


def test_no_test_is_marked_with_a_norm_that_there_is_not():
    assert set(marked()) <= set(NORMS)


@pytest.mark.parametrize("norm", NORMS)
def test_every_norm_names_tests_that_carry_its_number_and_run_on_any_machine(norm: str):
    held = told()[norm].held
    assert held
    assert set(held) <= marked()[norm]
    assert [test for test in held if may_be_skipped(test)] == []


@pytest.mark.parametrize("norm", NORMS)
def test_what_is_said_to_need_the_real_posts_carries_the_number_and_needs_them(norm: str):
    real = told()[norm].real
    assert set(real) <= marked()[norm]
    assert [test for test in real if not may_be_skipped(test)] == []


@pytest.mark.parametrize("norm", NORMS)
def test_every_norm_lives_in_files_that_there_are(norm: str):
    places = A_NAME.findall(told()[norm].lives)
    assert places
    assert [place for place in places if not (ROOT / file_of(place)).is_file()] == []


def test_the_readme_has_a_row_for_each_norm_that_leads_to_it():
    assert [row.norm for row in rows()] == [f"[{norm}](docs/NORMS.md#{norm.lower()})" for norm in NORMS]


@pytest.mark.parametrize("norm", NORMS)
def test_a_row_names_the_files_of_its_norm_and_a_test_that_runs_on_any_machine(norm: str):
    row = rows()[NORMS.index(norm)]
    assert A_NAME.findall(row.lives) == [file_of(place) for place in A_NAME.findall(told()[norm].lives)]
    path, _, name = row.test.strip("`").partition("::")
    assert (path, name) in told()[norm].held
