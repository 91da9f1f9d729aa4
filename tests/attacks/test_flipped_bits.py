"""A flipped bit in the database: the same answer, or an error that says what is wrong."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tradex_ledger.cli.main import run

SEED, PARTS, FLIPS = 9162, 2, 30


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = tmp_path_factory.mktemp("flipped")
    with small.reopen(worlds.copied(root)) as workspace:
        small.backfill(workspace)
        run_id = small.request(workspace, **small.OVERRIDE)
    return root / "ws", run_id


@pytest.mark.parametrize("part", range(PARTS))
def test_a_flipped_bit_in_the_ledger_gives_no_other_answer(
    made: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], part: int
):
    flips_in_the_ledger(made, tmp_path, capsys, SEED + part, FLIPS)


@pytest.mark.soak
def test_a_thousand_flipped_bits_in_the_ledger(
    made: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    came = flips_in_the_ledger(made, tmp_path, capsys, SEED + PARTS, 1000)
    with capsys.disabled():
        print(f"\n1000 flipped bits in the ledger: {came} (two questions each); other answers with exit 0: 0")


def flips_in_the_ledger(
    made: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int, flips: int
) -> dict[str, int]:
    """Flip one bit at a time, and ask two questions; another answer with exit 0 is a finding. Returns what came."""
    folder = Path(shutil.copytree(made[0], tmp_path / "ws"))
    whole = (folder / "ledger.db").read_bytes()
    assert not (folder / "ledger.db-wal").exists()
    commands = (
        ["audit", "log", "--limit", "1000"],
        ["backfill", "show", made[1]],
        ["backfill", "list"],
        ["query", "select run_id, status, kind from runs order by all"],
        ["dataset", "show", "silver_social_events"],
        ["query", "select * exclude (entry) from events order by position"],
    )

    def ask(command: list[str]) -> tuple[int, str]:
        status = run(["-C", str(folder), "--as", "ana", "--json", *command])
        return status, capsys.readouterr().out

    right = [ask(command) for command in commands]
    assert [status for status, _ in right] == [0] * len(commands)
    chance = random.Random(seed)
    found, came = {}, {"the same answer": 0, "refused": 0}
    for number in range(flips):
        place, bit = chance.randrange(len(whole)), chance.randrange(8)
        flipped = bytearray(whole)
        flipped[place] ^= 1 << bit
        (folder / "ledger.db").write_bytes(flipped)
        which = number % len(commands)
        for command, (_, said) in ((commands[which], right[which]), (commands[which - 1], right[which - 1])):
            status, answer = ask(command)
            if status == 0 and answer != said:
                found[place, bit, command[0]] = answer
            came["refused" if status else "the same answer"] += 1
    assert not found
    return came


def test_a_name_that_is_no_text_is_damage_that_is_told(
    made: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = Path(shutil.copytree(made[0], tmp_path / "ws"))
    whole = (folder / "ledger.db").read_bytes()
    places = [found.start() for found in re.finditer(rb"(?<=[(\s])(recorded_at|topic|state|format)\b", whole)]
    assert places
    said = set()
    for place in places[:40]:
        flipped = bytearray(whole)
        flipped[place] ^= 0x80
        (folder / "ledger.db").write_bytes(flipped)
        for command in (["status"], ["audit", "log"], ["query", "select * from runs"], ["backfill", "list"]):
            status = run(["-C", str(folder), *command])
            error = capsys.readouterr().err
            assert "Traceback" not in error and "internal" not in error, (place, command, error)
            said.add(status)
    assert max(said) > 0
