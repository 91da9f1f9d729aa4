"""Each block of each page is run by a test, or is nothing that can be run and says so by its language."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from contextlib import suppress
from pathlib import Path

import click
import pytest
import yaml

from tests.deploy import parts
from tests.kit import examples
from tests.kit.examples import PAGES, Block, blocks, commands, prose, words
from tests.kit.tree import ROOT
from tradex_ledger.config import FORMAT, load_config
from tradex_ledger.errors import UsageError
from tradex_ledger.fresh import fresh_settings

NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]
EVERY = [block for name in NAMES for block in blocks(name)]
SHOWN = {"text", "{toctree}"}
"""What a page shows, and nobody types."""
READ = {"toml", "yaml", "json"}
"""What is read by tests here, whatever page it is on."""
PLAYED = "{played}"
QUOTED = re.compile(r"`(tradex [^`\n]+)`")

with (ROOT / "tests" / "examples.csv").open(encoding="utf-8", newline="") as _file:
    RUN_BY = {(row["page"], row["language"]): row["test"] for row in csv.DictReader(_file)}
"""Who runs the blocks of a page: a test that takes them from the page, and fails where it left one out."""


def typed(block: Block) -> list[list[str]]:
    """The commands of the program that a block has, each as its words."""
    lines = commands(block.text) if block.language in ("sh", PLAYED) else []
    if block.language == "console":
        lines = [line.removeprefix("$ ") for line in block.text.splitlines() if line.startswith("$ ")]
    said = [words(re.sub(r"\$\(.*\)", "made-up", line)) for line in lines if not line.startswith(":")]
    return [one[1:] for one in said if one[0] == "tradex"]


def test_each_block_is_run_by_somebody_or_is_nothing_that_can_be_run():
    left = [
        f"{block}: ```{block.language}"
        for block in EVERY
        if block.language not in SHOWN | READ
        and not (block.language == PLAYED and block.page.startswith("docs/"))
        and (block.page, block.language) not in RUN_BY
    ]
    assert left == [], (
        "have it run by a test (examples.csv), play it ({played}), or name the language of what is only shown"
    )


def test_who_runs_a_page_is_a_test_that_takes_the_blocks_from_it():
    assert RUN_BY.keys() - {(block.page, block.language) for block in EVERY} == set()
    for (page, _), test in RUN_BY.items():
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text("utf-8")
        assert re.search(rf"^def {name}\(", text, re.M), test
        assert page in text or Path(page).name in text, test


def test_a_block_of_no_kind_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tests.test_examples.EVERY", [Block("docs/audit.md", 1, "", "tradex status\n")])
    with pytest.raises(AssertionError, match=r"docs/audit\.md:1"):
        test_each_block_is_run_by_somebody_or_is_nothing_that_can_be_run()


@pytest.mark.parametrize(
    "block", [one for one in EVERY if one.page != "schema/evidence/VERIFY.md" and typed(one)], ids=str
)
def test_each_command_is_one_that_the_program_takes(block: Block):
    for command in typed(block):
        said = command[: next((at for at, word in enumerate(command) if word in ("|", ">", "2>")), None)]
        if said[-1] == "…" and not said[-2].startswith("-"):  # the rest of it stands above
            with pytest.raises(click.UsageError, match="Missing"):
                parts.parse(said[:-1])
            continue
        with suppress(click.exceptions.Exit):  # --version
            parts.parse(said).close()


@pytest.mark.parametrize("block", [one for one in EVERY if one.language == "toml"], ids=str)
def test_settings_are_read_by_who_reads_settings(block: Block, tmp_path: Path):
    fresh = fresh_settings(
        FORMAT, ledger="sqlite:///ledger.db", lake="lake", source="files:posts", sources={}, pipeline=None, name=None,
        row="post",
    )  # fmt: skip
    file = tmp_path / "tradex.toml"
    file.write_text(examples.settled(fresh, block.text), encoding="utf-8")
    read = load_config(file)
    file.write_text(fresh, encoding="utf-8")
    assert read != load_config(file), "it says nothing that is not so anyway"
    assert tomllib.loads(block.text)


@pytest.mark.parametrize("block", [one for one in EVERY if one.language in ("json", "yaml")], ids=str)
def test_documents_are_read(block: Block):
    assert json.loads(block.text) if block.language == "json" else yaml.safe_load(block.text)


def test_what_sets_a_machine_up_names_what_there_is():
    """Nobody here is root of a machine of its own, with units, containers and a cluster: `deploy/README.md`."""
    typed = [words(command) for block in blocks("deploy/README.md", "sh") for command in commands(block.text)]
    named = {word for said in typed for word in said if word.startswith(("deploy/", "requirements/"))}
    assert len(named) >= 10
    assert [name for name in sorted(named) if not list(ROOT.glob(name))] == []
    services = {said[6] for said in typed if said[4:6] == ["run", "--rm"]} | {"db"}
    assert services <= parts.compose()["services"].keys()
    manifests = "".join(path.read_text("utf-8") for path in parts.MANIFESTS)
    secrets = {(said[4], word[12:].partition("=")[0]) for said in typed for word in said if "--from-file=" in word}
    assert len(secrets) >= 5
    assert [one for one in secrets if "name: {}, key: {}".format(*one) not in manifests] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)
def test_commands_and_options_that_are_named_in_between_are_ones_that_there_are(page: Path):
    for command in sorted(set(QUOTED.findall(prose(page)))):
        try:
            parts.parse(words(command)[1:]).close()
        except click.exceptions.Exit:
            continue
        except (click.UsageError, UsageError) as error:  # DAY is no day
            assert "No such" not in str(error), command
