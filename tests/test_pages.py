"""The pages beside the code: tables are whole, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kit.examples import PAGES, prose
from tests.kit.tree import ROOT

QUOTED = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
ELSEWHERE = ("https://", "http://", "mailto:")


def tables(text: str) -> list[list[str]]:
    """The tables of a page, each as its lines."""
    blocks = re.findall(r"(?:^\|.*\n?)+", text, re.M)
    return [block.splitlines() for block in blocks]


def cells(line: str) -> int:
    """The cells of a line of a table; a bar in quoted code divides nothing."""
    return QUOTED.sub("", line).strip().strip("|").count("|") + 1


def anchors(page: Path) -> set[str]:
    """What a link to a page can name: its headings, lower case, words joined by hyphens."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_each_row_of_a_table_has_the_cells_of_its_head(page: Path):
    for head, rule, *rows in tables(prose(page)):
        assert re.fullmatch(r"[|\-: ]+", rule), head
        assert [row for row in rows if cells(row) != cells(head)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_each_link_leads_to_a_file_and_a_heading_that_there_is(page: Path):
    for link in LINK.findall(prose(page)):
        if link.startswith(ELSEWHERE):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_each_benchmark_says_what_it_measures():
    page = (ROOT / "tests/benchmarks/README.md").read_text(encoding="utf-8")
    scripts = sorted(path.name for path in (ROOT / "tests/benchmarks").glob("bench_*.py"))
    assert sorted(re.findall(r"^\| `(bench_\w+\.py)` \|", page, re.M)) == scripts
