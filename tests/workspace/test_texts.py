"""How definitions differ: a file from its version, a version from another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tradex_ledger.cli.main import run
from tradex_ledger.errors import TradexError
from tradex_ledger.workspace import Workspace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return worlds.copied(tmp_path, pipeline=True)


def test_a_file_as_its_version_has_it_differs_in_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["-C", str(folder), "dataset", "diff", "gold_signals"]) == 0
    assert "nothing differs" in capsys.readouterr().err


def test_an_edited_file_is_told_in_text_logic_and_columns(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Workspace.open(folder, actor="ana") as workspace:
        small.edit(workspace, "gold_signals", "z >= 3", "z >= 4")
        small.edit(workspace, "gold_signals", "    sentiment_mean\nfrom scored", "    1 as one\nfrom scored")
        found = workspace.datasets.compare("gold_signals")
        assert (found.before, found.after) == ("version 1", "the file")
        assert found.what == ["its statement is another"]
        assert found.columns == {"sentiment_mean": "-", "one": "+"}
        assert found.before_fingerprint != found.after_fingerprint
        assert any(line.startswith("-") and "z >= 3" in line for line in found.lines)
        with pytest.raises(TradexError, match="gold_signals"):
            workspace.datasets.compare("gold_signals", (1, 2))
        workspace.datasets.bump("gold_signals", reason="spikes start at z = 4, INC-4300")
        assert workspace.datasets.compare("gold_signals", (1, 2)).lines[2:] == [
            line.replace("the file", "version 2") for line in found.lines[2:]
        ]
        small.edit(workspace, "gold_signals", "z >= 4", "z >= 3")
        small.edit(workspace, "gold_signals", "    1 as one\nfrom scored", "    sentiment_mean\nfrom scored")
        assert workspace.datasets.compare("gold_signals").same_as == [1]
    assert run(["-C", str(folder), "dataset", "diff", "gold_signals"]) == 1
    told = capsys.readouterr()
    assert "the file has the very text of version 1" in told.err
    assert "+        when z >= 3" in told.out


def test_a_comment_changes_the_text_and_not_the_logic(folder: Path) -> None:
    with Workspace.open(folder, actor="ana") as workspace:
        small.edit(workspace, "gold_signals", "-- One row a", "-- Just one row a")
        found = workspace.datasets.compare("gold_signals")
        assert (found.what, found.columns, bool(found.lines)) == ([], {}, True)
        assert found.before_fingerprint == found.after_fingerprint
