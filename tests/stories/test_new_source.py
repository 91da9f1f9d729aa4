"""A source of a package's own, as `examples/new_source` makes one: installed, named by a definition, run."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tests.kit import small
from tests.kit.examples import blocks, commands, words
from tests.kit.tree import ROOT
from tradex_ledger.audit.query import query
from tradex_ledger.cli.main import run as tradex
from tradex_ledger.sources import registry
from tradex_ledger.sources.registry import UnknownReaderError
from tradex_ledger.workspace import Workspace

EXAMPLE = ROOT / "examples" / "new_source"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The example's package, laid down as an installer does: its module, and beside it what says its entry points."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    place = tmp_path / "site"
    about = place / f"sensor_lines-{project['version']}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8")
    ((group, entries),) = project["entry-points"].items()
    listed = "".join(f"{name} = {target}\n" for name, target in entries.items())
    (about / "entry_points.txt").write_text(f"[{group}]\n{listed}", encoding="utf-8")
    shutil.copy(EXAMPLE / "sensor_lines.py", place)
    monkeypatch.syspath_prepend(str(place))
    registry._installed.cache_clear()
    yield place
    registry._installed.cache_clear()
    sys.modules.pop("sensor_lines", None)


def create(folder: Path) -> Workspace:
    shutil.copytree(EXAMPLE / "pipeline", folder / "pipeline")
    source = f"files:{EXAMPLE / 'deliveries'}"
    Workspace.create(folder, source=source, pipeline="pipeline", name="sensors", actor="ana").close()
    settings = folder / "tradex.toml"
    text = settings.read_text(encoding="utf-8").replace("# workers = 2", "workers = 1 #")
    settings.write_text(text, encoding="utf-8")
    return Workspace.open(folder, actor="ana", clock=small.Ticking(datetime(2026, 4, 1, tzinfo=UTC)))


def test_a_package_brings_a_reader_and_nothing_here_is_edited(installed: Path, tmp_path: Path):
    with create(tmp_path / "ws") as workspace:
        assert workspace.incremental.run(last=date(2026, 3, 2)).status == "SUCCESS"
        found = query(workspace.ledger.store, workspace.core.lake, "from silver_sensor_days order by all").rows
        assert [tuple(row) for row in found] == [
            (date(2026, 3, 1), "s1", 2, 22.5),
            (date(2026, 3, 2), "s2", 1, 19.0),
        ]
        undated = query(
            workspace.ledger.store, workspace.core.lake, "select file, line, raw from bronze_sensors__undated"
        )
        assert [tuple(row) for row in undated.rows] == [("a.log", 3, "no sensor")]


def test_the_commands_of_its_page_make_it_and_ask_it(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name in ("pipeline", "deliveries"):
        shutil.copytree(EXAMPLE / name, tmp_path / "at" / name)
    monkeypatch.chdir(tmp_path / "at")
    (block,) = blocks("examples/new_source/README.md", "sh")
    install, copied, *rest = commands(block.text)
    assert install == "pip install ."  # what it does is done: `installed`
    subprocess.run(["bash", "-c", copied], check=True)
    for command in rest:
        assert tradex([*words(command)[1:]]) == 0, capsys.readouterr()
        if "init" in command:
            settings = Path("ws", "tradex.toml")
            settings.write_text(settings.read_text("utf-8").replace("# workers = 2", "workers = 1 #"), "utf-8")
    assert "22.5" in capsys.readouterr().out


def test_without_the_package_the_mend_says_what_is_missing(tmp_path: Path):
    with pytest.raises(UnknownReaderError, match="no reader 'sensor_lines'") as error:
        create(tmp_path / "ws")
    assert "tradex_ledger.sources" in error.value.mend
