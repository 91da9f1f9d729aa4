"""The real posts, built again: all of it is as it was, and one byte of one file of the lake is named."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from tests.kit.lake import copy_workspace, one_process, partitions, projection
from tests.kit.lake_folder import in_lake, root_of
from tradex_ledger.workspace import Workspace


def test_every_run_of_the_real_posts_is_identical(undisturbed: Workspace):
    for run in projection(undisturbed, "runs"):
        found = undisturbed.audit.reproducer().run(run["run_id"])
        others = [one for one in found.partitions if one.verdict != "identical"]
        assert (others, found.verdicts["identical"]) == ([], 298)
        assert {one.dataset for one in found.partitions} == {p["dataset"] for p in partitions(undisturbed)}


def test_one_byte_of_one_file_is_named(undisturbed: Workspace, tmp_path: Path):
    folder = copy_workspace(undisturbed, tmp_path / "ws")
    one_process(folder)
    with Workspace.open(folder, actor="ana") as workspace:
        day = date(2014, 2, 5)
        (row,) = [p for p in partitions(workspace) if (p["dataset"], p["partition"]) == ("gold_metrics", day)]
        path = in_lake(workspace, row["files"][0]["path"])
        content = bytearray(path.read_bytes())
        content[100] ^= 1
        path.write_bytes(content)
        name = path.relative_to(root_of(workspace)).as_posix()
        (itself,) = workspace.audit.reproducer().partition("gold_metrics", day).partitions
        (above,) = workspace.audit.reproducer().partition("gold_signals", day).partitions
    assert (itself.verdict, itself.file, itself.sha256) == ("differs", name, itself.sha256_again)
    assert (above.verdict, above.file) == ("not judged", name)
