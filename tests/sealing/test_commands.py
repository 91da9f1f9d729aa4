"""The commands on heads, as a person types them: what they print, and how they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import sealed, small
from tests.kit.sealed import copied_away, grow, put_back, with_sink
from tests.kit.stores import STORES, Kind, living
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE, ConfigError, load_config
from tradex_ledger.sealing.keys import path_of
from tradex_ledger.sealing.witness import KEY

Said = tuple[int, str, str]


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    return worlds.copied(tmp_path, days=2, until=None)


@pytest.fixture
def tradex(ws: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def call(*words: str | Path) -> Said:
        status = run(["-C", str(ws), "--as", "ana", *map(str, words)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def document(said: Said) -> Any:
    assert said[0] == 0, said
    return json.loads(said[1])


def test_status_says_in_a_line_that_nothing_is_sealed_outside_and_what_is_once_something_is(ws: Path, tradex: Any):
    assert "sealed outside: never" in tradex("status")[2]
    sink = with_sink(ws)
    with small.reopen(ws) as workspace:
        grow(workspace, 3)
    found = document(tradex("status", "--json"))["sealing"]
    assert (found["unsealed"], found["outside"], found["unreached"]) == (3, None, [])
    made = document(tradex("ledger", "checkpoint", "--json"))
    found = document(tradex("status", "--json"))["sealing"]
    assert (found["unsealed"], found["outside"]["size"], found["outside"]["place"]) == (0, made["size"], str(sink))
    assert f"sealed outside: {made['size']} events, until 20" in tradex("status")[2]
    sink.rename(sink.with_name("gone"))
    told = tradex("status")
    assert told[0] == 0
    assert f"no head in {sink}" in told[2]


def test_the_note_is_printed_as_it_is_kept_and_its_place_named(ws: Path, tradex: Any):
    status, out, _ = tradex("ledger", "checkpoint")
    assert status == 0
    kept = sorted((ws / "checkpoints").iterdir())[-1]
    assert out == kept.read_text(encoding="utf-8")
    assert document(tradex("ledger", "key", "--json"))["keys"] == [
        (ws / "keys" / "checkpoint.pub").read_text(encoding="utf-8").strip()
    ]


def test_a_cut_ledger_ends_each_command_that_writes_and_warns_those_that_read(ws: Path, tmp_path: Path, tradex: Any):
    with_sink(ws)
    old = copied_away(ws, tmp_path / "old")
    with small.reopen(ws) as workspace:
        grow(workspace)
        root = workspace.seals.cut().root
    put_back(ws, old)
    for words in (("run",), ("ledger", "checkpoint"), ("policy", "set", "--reason", "asked for, INC-1")):
        status, _, err = tradex(*words)
        assert (status, root in err) == (7, True)
    for words in (("status",), ("query", "select 1"), ("ledger", "show")):
        status, _, err = tradex(*words)
        assert (status, root in err) == (int(words[0] == "ledger"), True)


def test_secrets_are_in_nothing_that_is_said(ws: Path, tmp_path: Path, tradex: Any):
    eve = tmp_path / "eve"
    said = [tradex("ledger", "witness", eve, "--new", "example.org/eve"), tradex("ledger", "key", "--json")]
    path_of(ws).chmod(0o644)
    said.append(tradex("ledger", "checkpoint"))
    path_of(ws).chmod(0o600)
    secret = path_of(ws).read_text(encoding="utf-8").strip()
    said.append(tradex("ledger", "witness", eve, "--log", secret))
    for text in (secret, (eve / KEY).read_text(encoding="utf-8").strip()):
        assert not any(text.rpartition("+")[2] in out + err for _, out, err in said)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("ledger", "checkpoint", "--from", "3"), 2),
        (("ledger", "checkpoint", "--for-witness", "a", "--cosigned", "b"), 2),
        (("ledger", "checkpoint", "--cosigned", "nowhere"), 4),
        (("ledger", "checkpoint", "--for-witness", "no/folder/ask"), 4),
        (("ledger", "checkpoint", "--for-witness", "tradex.toml"), 2),
        (("ledger", "key", "--new"), 2),
        (("ledger", "key", "--new", "--reason", "test"), 2),
        (("ledger", "key", "--replaces", "a"), 2),
        (("ledger", "key", "--new", "--reason", "host replaced, INC-4711", "--replaces", "a"), 2),
        (("ledger", "witness", "nowhere"), 4),
        (("ledger", "witness", "nowhere", "--out", "b"), 2),
        (("ledger", "witness", "made", "--new", "a b"), 2),
        (("ledger", "witness", "tradex.toml", "--new", "eve"), 6),
        (("query", "select 1", "--as-of", "nowhere"), 2),
        (("query", "select 1", "--as-of", "tradex.toml"), 7),
        (("query", "select 1", "--as-of", "x" * 5000), 2),
    ],
)
def test_wrong_use_is_told_and_changes_nothing(
    ws: Path, tradex: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], status: int
):
    monkeypatch.chdir(ws)
    before = sorted(ws.rglob("*"))
    found = tradex(*words)
    assert found[0] == status, found
    assert "Traceback" not in found[2]
    assert [path for path in sorted(ws.rglob("*")) if path not in before and ".cache" not in path.parts] == []


@pytest.mark.parametrize(
    "values",
    [
        {"every": 0},
        {"every": True},
        {"every": "10"},
        {"sinks": "usb"},
        {"sinks": ["s3://bucket/heads"]},
        {"sinks": ["/a", "/a"]},
        {"sinks": ["checkpoints"]},
        {"sinks": [""]},
        {"witnesses": ["eve"]},
        {"quorum": 1},
        {"evry": 1},
    ],
)
def test_settings_that_mean_nothing_are_named(ws: Path, values: dict[str, object]):
    sealed.settings(ws, **values)
    with pytest.raises(ConfigError, match="checkpoints"):
        load_config(ws / FILE)


@pytest.mark.parametrize("kind", STORES[:2], ids=lambda kind: kind.name)
def test_heads_are_cut_and_held_against_a_ledger_in_any_database(ws: Path, tmp_path: Path, kind: Kind):
    with_sink(ws)
    with living(ws, kind, tmp_path):
        with small.reopen(ws) as workspace:
            end = grow(workspace, 300)
            made = workspace.seals.cut()
            assert (made.size, [one.problem for one in made.places]) == (end, [None])
            assert workspace.audit.look.runs(made.file) == []
        with small.reopen(ws) as workspace:
            assert workspace.audit.look.status(now=small.Ticking()()).sealing.unsealed == 0
            assert list(workspace.audit.look.strange()) == []
