"""Who only reads waits neither for SQLAlchemy nor for the library that saves: each costs more than the answer does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.commands import paths
from tests.kit.loaded import HEAVY, run_all
from tradex_ledger.cli.main import cli

RUN = "the run that stands in the workspace"
REQUEST = ("dataset", "gold", "--no-override-state", "--reason", small.REASON)
READING: dict[str, list[tuple[str, ...]]] = {
    "status": [(), ("--json",), ("--as-of", "9")],
    "calendar": [(), ("gold_signals", "--from", "2024-01-02"), ("--as-of", "9")],
    "state show": [()],
    "state history": [()],
    "dataset list": [()],
    "dataset show": [("gold_signals",), ("gold_signals", "--partitions")],
    "dataset lineage": [("gold_signals",), ("gold_signals", "--as-of", "20")],
    "engine list": [()],
    "alerts": [(), ("--each",), ("--all", "--as-of", "9")],
    "spending": [(), ("--as-of", "9")],
    "query": [
        ("select 1",),
        ("select count(*) from gold_signals",),
        ("select count(*) from gold_signals", "--no-verify", "--json"),
        ("select count(*) from runs", "--as-of", "9"),
        ("select count(*) from runs@9, events@20",),
        ("select count(*) from gold_signals", "--candidate", RUN),
    ],
    "audit log": [(), ("--topic", "backfill.requested", "--json")],
    "audit history": [(RUN,), ("gold_signals",), ("x",)],
    "audit prove": [("1",), ("1", "--json")],
    "dataset diff": [("gold_signals", "--versions", "1", "1")],
    "dataset preview": [("gold_signals", "--from", "2024-01-04", "--to", "2024-01-05")],
    "bronze list": [(), ("--as-of", "9")],
    "audit why": [("gold_signals", "2024-01-05"), ("gold_signals", "2024-01-05", "--as-of", RUN)],
    "audit diff": [("gold_signals", "--versions", "1", "1")],
    "audit verify": [(), ("--no-lake", "--json"), ("--since", "9")],
    "audit reproduce": [("gold_signals", "2024-01-04"), ("--sample", "2")],
    "projection list": [(), ("runs", "--json")],
    "mirror list": [(), ("--json",)],
    "feed list": [(), ("--json",)],
    "metrics": [()],
    "policy show": [(), ("--as-of", "9")],
    "policy set": [("--dry-run",)],
    "policy key list": [(), ("--as-of", "9")],
    "ledger show": [()],
    "ledger epoch": [()],
    "ledger copy": [()],
    "ledger key": [()],
    "lake gc": [()],
    "lake erase": [("bronze_x_posts",)],
    "lake prune": [("gold_signals",)],
    "lake lost": [(), ("gold_signals",)],
    "backfill list": [(), ("--status", "PLANNED")],
    "backfill show": [(RUN,), (RUN, "--json"), (RUN, "--timeline")],
    "backfill propose": [("--no-source",)],
    "backfill request temporal": [
        ("bronze", "--from", "2024-01-04", "--to", "2024-01-05", *REQUEST[2:], "--dry-run"),
        ("bronze", "--from", "2024-01-04", "--to", "2024-01-05", *REQUEST[2:], "--dry-run", "--split"),
    ],
    "backfill request dataset": [(*REQUEST[1:], "--dry-run")],
    "trust": [()],
}
"""Each command that reads, with calls of it."""
WRITING = {
    *("init", "demo", "run", "worker", "retract", "serve", "bronze quarantine", "bronze release"),
    *("dataset bump", "dataset deprecate", "dataset restore", "dataset protect", "dataset unprotect"),
    *("audit export", "audit report", "audit check", "ledger tiles"),  # what they write, or read, is no workspace
    *("ledger grants", "ledger backup", "ledger restore", "ledger checkpoint", "ledger witness"),
    "projection rebuild",  # a file
    *("mirror sync", "mirror rebuild"),  # what they write is no workspace
    *("alerts ack", "engine accept", "policy approve", "policy reject", "policy adopt"),
    "feed send",  # how far it has come
    *(f"policy key {name}" for name in ("add", "approve", "reject", "revoke")),
    *(f"backfill {name}" for name in ("approve", "reject", "cancel", "run", "pause", "resume", "release", "revert")),
    *("backfill request logical", "backfill request forced"),  # with --dry-run as those above
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A workspace that has run a week, and the id of a backfill that waits in it."""
    folder = worlds.copied(tmp_path_factory.mktemp("light"))
    with small.reopen(folder) as opened:
        return folder, small.request(opened)


def test_each_command_either_reads_or_writes():
    commands = {path for path, is_group in paths(cli).items() if not is_group}
    assert READING.keys() | WRITING == commands
    assert not READING.keys() & WRITING


def test_no_command_that_only_reads_loads_what_only_saves(workspace: tuple[Path, str]):
    folder, run_id = workspace
    run_all(
        [
            ("-C", str(folder), *name.split(), *(run_id if argument == RUN else argument for argument in arguments))
            for name, calls in READING.items()
            for arguments in calls
        ]
    )


def test_where_things_stand_is_told_without_pyarrow_mirrors_and_what_decides(workspace: tuple[Path, str]):
    calls = [("-C", str(workspace[0]), *words) for words in (("status",), ("query", "select 1"), ("metrics",))]
    run_all(calls, heavy=(*HEAVY, "pyarrow", "tradex_ledger.mirrors.open", "tradex_ledger.domain.backfill"))


def test_neither_help_nor_wrong_use_loads_it():
    helps = [(*path.split(), "--help") for path in paths(cli)]
    wrong = [(*path.split(), "--nonsense") for path in paths(cli)]
    run_all([("--version",), ("--help",), (), ("nonsense",), *helps, *wrong], 2)


def test_nor_does_what_a_shell_asks_when_it_completes_a_word():
    run_all([()], _TRADEX_COMPLETE="bash_complete", COMP_WORDS="tradex backfill list --status ", COMP_CWORD="4")
