"""The site: it is made whole, without a warning, and everything that it says to type was typed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from tests import worlds
from tests.kit.showing import DOING
from tests.kit.tree import ROOT

sys.path.insert(0, str(ROOT / "docs" / "site"))

import played
from folders import led

TASKS = sorted((ROOT / "docs" / "tasks").glob("*.md"))
BROUGHT = {
    "backup": {"ledger backup"},
    "forced_correction": {"policy key add", "backfill request forced"},
    "new_logic": {"dataset deprecate"},
    "other_programs": {"feed send"},
    "upgrade": {"ledger backup"},
}
"""What a person of a story comes to do. Questions may be asked at any time."""
BLOCK = re.compile(r'<div class="highlight"><pre>(.*?)</pre>', re.S)
FROM_ELSEWHERE = re.compile(r"""<(?:script|link|img)\b[^>]*\b(?:src|href)="(?:https?:)?//""")


def build(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "site" / "build.py"), str(folder / "site")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="module")
def site() -> Path:
    return worlds.made("site", build) / "site"


def test_the_site_is_made_without_a_warning_and_every_played_block_and_the_notebook_were_run(site: Path):
    for page in [*TASKS, ROOT / "docs" / "tutorial.md"]:
        text = (site / page.relative_to(ROOT)).with_suffix(".html").read_text("utf-8")
        blocks = re.findall(r"<pre>(.*?)</pre>", text, re.S)
        assert sum("$ tradex" in re.sub(r"<[^>]+>", "", block) for block in blocks) >= 3, page
        assert "bf-…" not in "".join(blocks), page
    notebook = (site / "docs" / "researcher.html").read_text("utf-8")
    assert len(re.findall(r'class="cell_output', notebook)) >= 8


def deeds(page: str) -> Iterator[tuple[str, bool]]:
    """Each deed of a page as it is played, and whether the program has named it by then."""
    said = ""
    for block in BLOCK.findall(page):
        for step in re.split(r"^\$ ", unescape(re.sub(r"<[^>]+>", "", block)), flags=re.M)[1:]:
            lines = step.replace("\\\n", " ").splitlines()
            words = re.sub(r"^tradex(?: -C \S+)?\s+", "tradex ", lines[0])
            for deed in DOING:
                if re.match(rf"tradex {deed}\b", words):
                    yield deed, f"tradex {deed}" in said
            said += "\n".join(lines[1:])


def test_each_deed_of_a_story_was_named_by_the_program_before_or_is_what_somebody_came_for(site: Path):
    told = {
        page.stem: list(deeds((site / "docs" / "tasks" / f"{page.stem}.html").read_text("utf-8"))) for page in TASKS
    }
    assert {story: {deed for deed, is_named in found if not is_named} for story, found in told.items()} == {
        story: BROUGHT.get(story, set()) for story in told
    }
    assert sum(is_named for found in told.values() for _, is_named in found) >= 12


def test_the_site_takes_nothing_from_another_host(site: Path):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    assert [page for page in pages if FROM_ELSEWHERE.search(page.read_text("utf-8"))] == []


def test_the_reference_names_every_command_event_projection_and_code(site: Path):
    def said(name: str) -> str:
        return (site / "reference" / f"{name}.html").read_text("utf-8")

    for path in (ROOT / "schema" / "events").glob("*.json"):
        name, _, version = path.stem.rpartition(".v")
        assert f"{name}, version {version}" in said("events")
    for path in (ROOT / "schema" / "projections").glob("*.json"):
        assert f">{path.stem}<" in said("projections"), path
    codes = (ROOT / "schema" / "codes.csv").read_text("utf-8").splitlines()[1:]
    assert [line for line in codes if f">{line.partition(',')[0]}<" not in said("errors")] == []
    assert "tradex backfill approve" in said("commands") and "--override-state" in said("commands")


def test_a_block_that_does_not_do_what_the_page_says_fails_it(tmp_path: Path):
    stage = played.stage(tmp_path)
    with pytest.raises(played.PlayedError, match="ended with 4, not 0"):
        stage.play("tradex -C nowhere status", 0)
    assert "error:" in stage.play("tradex -C nowhere status", 4)[1]


def test_a_backfill_is_named_as_the_last_that_was_said(tmp_path: Path):
    stage = played.stage(tmp_path)
    stage.play("echo bf-1m8fhc6mja3hg and bf-1m8fhdysrkm2h; echo run-1m8fhhtj245xh", 0)
    assert stage.play("echo bf-… 'bf-…^' run-…", 0)[1] == "bf-1m8fhdysrkm2h bf-1m8fhdysrkm2h^ run-1m8fhhtj245xh"


def test_pages_that_begin_with_the_same_block_play_it_once_and_each_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(played.ROOMS, str(tmp_path))
    begins = ["echo run-1m8fhhtj245xh >> said; echo run-1m8fhhtj245xh"]
    for number in range(3):
        room = played.room()
        stage = room.begun(begins)
        assert stage.play("echo more >> said; cat said; echo run-…; pwd", 0)[1].split() == [
            "run-1m8fhhtj245xh", "more", "run-1m8fhhtj245xh", str(tmp_path / "0" / "at"),
        ], number  # fmt: skip
        room.lock.close()
    with played.room().lock, played.room().lock as other:  # two pages at once are in two rooms
        assert other.name == str(tmp_path / "1.lock")


def test_lines_that_go_on_are_one_command_and_long_answers_are_cut_in_sight():
    assert played.commands(["a \\", "  b", "c"]) == ["a \\\n  b", "c"]
    assert played.short("1\n2\n3", 2) == "1\n2\n… (1 more lines)"


def test_a_link_to_a_folder_leads_to_its_page_or_is_text(tmp_path: Path):
    (tmp_path / "with").mkdir()
    (tmp_path / "with" / "README.md").write_text("", encoding="utf-8")
    (tmp_path / "without").mkdir()
    assert led("[a](with) [b](without) [c](https://example.org)", tmp_path / "page.md") == (
        "[a](with/README.md) b [c](https://example.org)"
    )
