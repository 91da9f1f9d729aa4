"""Proofs, evidence and tiles by the commands, on a workspace that ran: what others get, and what they are told."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path

import pytest

from tests import worlds
from tests.kit.evidence import WITNESS
from tradex_ledger.cli.main import run
from tradex_ledger.sealing.note import signed_too


@pytest.fixture
def ws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace whose one run was published, and so signed; the folder around it is the current one."""
    folder = worlds.copied(tmp_path, days=2, until=3, thin=True)
    monkeypatch.setenv("TRADEX_WORKSPACE", str(folder))
    monkeypatch.setenv("TRADEX_ACTOR", "ana")
    monkeypatch.chdir(tmp_path)
    return folder


def key(ws: Path) -> str:
    return (ws / "keys" / "checkpoint.pub").read_text(encoding="utf-8").strip()


def run_id(capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["audit", "log", "--topic", "incremental_run.succeeded", "--json"]) == 0
    return str(json.loads(capsys.readouterr().out)["events"][0]["stream"])


def test_an_event_is_proven_to_who_has_its_entry_and_the_key(ws: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["audit", "prove", "3", "-o", "3.tlog-proof"]) == 0
    assert "dataset.registered" in capsys.readouterr().err
    assert run(["audit", "prove", "3"]) == 0
    assert capsys.readouterr().out == Path("3.tlog-proof").read_text(encoding="utf-8")
    assert run(["audit", "prove", "3", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["text"], said["file"]) == (Path("3.tlog-proof").read_text(encoding="utf-8"), None)
    assert run(["audit", "export", run_id(capsys), "-o", "evidence"]) == 0
    assert (
        "next: tradex audit check evidence --key VKEY (those of the ledger: tradex ledger key)"
        in capsys.readouterr().err
    )
    assert run(["audit", "check", "evidence", "--key", key(ws)]) == 0
    capsys.readouterr()
    entry = sorted(Path("evidence", "entries").iterdir())[0]
    proof = Path("evidence", "proofs", f"{entry.stem}.tlog-proof")
    assert run(["audit", "check", str(proof), "--entry", str(entry), "--key", key(ws)]) == 0
    assert run(["audit", "check", "3.tlog-proof", "--entry", str(entry), "--key", key(ws)]) == 1
    assert run(["audit", "check", "3.tlog-proof", "--key", key(ws)]) == 2
    assert "--entry FILE" in capsys.readouterr().err


def test_what_is_signed_by_nobody_yet_is_told_with_what_mends_it(ws: Path, capsys: pytest.CaptureFixture[str]):
    shutil.rmtree(ws / "checkpoints")
    for command in (["audit", "prove", "3"], ["audit", "export", run_id(capsys), "-o", "e"], ["ledger", "tiles", "t"]):
        assert run(command) == 4
        assert "tradex ledger checkpoint" in capsys.readouterr().err
    assert not os.path.lexists("e")
    assert not os.path.lexists("t")
    assert run(["ledger", "checkpoint"]) == 0
    assert run(["audit", "prove", "3"]) == 0
    assert run(["audit", "prove", "99999"]) == 4


def test_evidence_is_made_once_whole_and_says_what_is_not_in_it(ws: Path, capsys: pytest.CaptureFixture[str]):
    found = run_id(capsys)
    assert run(["audit", "export", found[:9], "-o", "evidence", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["run"], said["signed"], said["unsigned"], said["lacking"]) == (found, [], [], [])
    assert said["files"] == sum(path.is_file() for path in Path("evidence").rglob("*"))
    assert said["events"] == len(list(Path("evidence", "proofs").iterdir()))
    assert run(["audit", "export", found, "-o", "evidence"]) == 3
    assert "evidence is there already" in capsys.readouterr().err
    assert run(["audit", "export", found, "-o", "again"]) == 0
    files = [p.relative_to("evidence") for p in Path("evidence").rglob("*") if p.is_file()]
    assert all(Path("evidence", one).read_bytes() == Path("again", one).read_bytes() for one in files)
    assert run(["audit", "check", "again", "--key", key(ws), "--json"]) == 0
    assert run(["audit", "export", found, "-o", "no/such/evidence"]) == 4
    Path("empty").mkdir()
    assert run(["audit", "export", found, "-o", "empty"]) == 3
    assert list(Path("empty").iterdir()) == []
    assert run(["audit", "export", "run-nobody", "-o", "nobody"]) == 4


def test_a_check_names_each_file_that_does_not_hold(ws: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["audit", "export", run_id(capsys), "-o", "evidence"]) == 0
    first, second = sorted(Path("evidence", "entries").iterdir())[1:3]
    first.write_bytes(first.read_bytes().replace(b"ana", b"eve"))
    Path("evidence", "proofs", f"{second.stem}.tlog-proof").write_bytes(b"")
    capsys.readouterr()
    assert run(["audit", "check", "evidence", "--key", key(ws), "--json"]) == 1
    files = [one["file"] for one in json.loads(capsys.readouterr().out)["findings"]]
    assert files[:2] == [f"entries/{first.name}", f"entries/{second.name}"]
    assert run(["audit", "check", "evidence", "--key", WITNESS.verifier.text]) == 1
    assert run(["audit", "check", "evidence", "--key", "nonsense"]) == 2
    assert run(["audit", "check", "posts", "--key", key(ws)]) == 4
    assert run(["audit", "check", "nothing", "--key", key(ws)]) == 4


def test_a_failure_half_way_leaves_no_evidence(
    ws: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    found = run_id(capsys)

    def no_room() -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "sync", no_room)
        assert run(["audit", "export", found, "-o", "evidence"]) == 6
    assert "disk is full" in capsys.readouterr().err
    assert not list(Path().glob("*evidence*"))
    assert run(["audit", "export", found, "-o", "evidence"]) == 0


def test_two_who_export_at_once_get_one_of_them_whole(
    ws: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    found = run_id(capsys)
    sync = os.sync

    def another_first() -> None:
        monkeypatch.setattr(os, "sync", sync)
        shutil.copytree("posts", "evidence")

    monkeypatch.setattr(os, "sync", another_first)
    assert run(["audit", "export", found, "-o", "evidence"]) == 3
    assert not Path("evidence", "VERIFY.md").exists()
    assert not list(Path().glob(".evidence*"))


def test_witnesses_that_cosigned_the_newest_head_are_in_what_is_handed_on(ws: Path, capsys: pytest.CaptureFixture[str]):
    settings = ws / "tradex.toml"
    before, heading, after = settings.read_text(encoding="utf-8").partition("[checkpoints]")
    settings.write_text(f'{before}{heading}\nwitnesses = ["{WITNESS.verifier.text}"]{after}', encoding="utf-8")
    assert run(["ledger", "checkpoint"]) == 0
    head = max((ws / "checkpoints").iterdir())
    Path("cosigned").write_text(signed_too(head.read_text(encoding="utf-8"), WITNESS, 1_700_000_000), encoding="utf-8")
    assert run(["ledger", "checkpoint", "--cosigned", "cosigned"]) == 0
    capsys.readouterr()
    assert run(["audit", "export", run_id(capsys), "-o", "evidence", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checkpoint"]["cosigned_by"] == [WITNESS.name]
    assert run(["audit", "check", "evidence", "--key", key(ws), "--witness", WITNESS.verifier.text]) == 0
    assert run(["ledger", "tiles", "tiles"]) == 0
    assert Path("tiles", "checkpoint").read_bytes() == Path("evidence", "checkpoint").read_bytes()


def test_tiles_are_laid_once_and_go_on_with_the_ledger(ws: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["ledger", "tiles", "tiles", "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert (first["made"], first["there"]) == (2, 0)
    assert run(["policy", "set", "--reason", "sizes of the desk, INC-4301"]) in (0, 2, 3)
    assert run(["ledger", "tiles", "tiles"]) == 0
    assert run(["ledger", "tiles", "posts"]) == 3
    assert "no checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize("place", [".", "/", "./", ""])
def test_a_folder_without_a_name_is_there_already(ws: Path, capsys: pytest.CaptureFixture[str], place: str):
    found = run_id(capsys)
    for command in (["audit", "prove", "3"], ["audit", "report", found, "--no-rows"], ["audit", "export", found]):
        assert run([*command, "-o", place]) in (3, 6), command
        assert "fault of the program" not in capsys.readouterr().err
    assert run(["audit", "log", "--format", "csv", "-o", place]) == 2
    assert "is no file" in capsys.readouterr().err


def test_a_command_that_is_told_can_be_copied_whatever_a_place_is_called(ws: Path, capsys: pytest.CaptureFixture[str]):
    place = "e v'\"ü"
    assert run(["audit", "export", run_id(capsys), "-o", place]) == 0
    told = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("next: "))
    said = shlex.split(told.removeprefix("next: ").partition(" (")[0].replace("VKEY", key(ws)))
    assert run(said[1:]) == 0
    assert run(["ledger", "backup", "b 'ü"]) == 0
    told = next(line for line in capsys.readouterr().err.splitlines() if "tradex ledger restore" in line)
    assert shlex.split(told.partition("tradex ")[2])[2] == "b 'ü"
