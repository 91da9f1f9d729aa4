"""An edited or new definition over some days, as it would be: what it says comes true, and nothing of it stays."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests import worlds
from tests.kit import small
from tests.kit.lake_folder import root_of
from tradex_ledger.audit.diff import Differing
from tradex_ledger.cli.main import run
from tradex_ledger.datasets.definition import DefinitionError, UnknownDatasetError
from tradex_ledger.datasets.edited import NoSuchFileError
from tradex_ledger.datasets.gate import NotDeterministicError
from tradex_ledger.domain.day import day_of
from tradex_ledger.domain.request import RangeError
from tradex_ledger.lake.scratch import Scratch
from tradex_ledger.lake.storage import LakeFileError, StagedFile, sha256_of
from tradex_ledger.planning.complete import IncompleteInputsError
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.previewing import NothingToPreviewError

HEADER = """-- /// dataset
-- layer = "gold"
-- partition = "date"
-- key = ["date", "ticker"]
-- reads = { silver_social_events = "0d" }
-- ///
"""
MOODS = f"{HEADER}select event_date as date, ticker, sum(sentiment) as mood from silver_social_events group by all\n"
RUNNING = """-- /// dataset
-- layer = "gold"
-- partition = "date"
-- key = ["date"]
-- columns = { date = "DATE", total = "BIGINT" }
-- reads = { gold_metrics = "0d", running = "-1d" }
-- ///
select p.date, (coalesce(max(r.total), 0) + coalesce(sum(m.mentions), 0))::bigint as total
from partitions p
left join gold_metrics m on m.date = p.date
left join running r on r.date = p.date - 1
group by p.date
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with small.reopen(worlds.copied(tmp_path, pipeline=True)) as made:
        yield made


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What is built to be looked at lies in here, and is gone at the end of each test."""
    folder = tmp_path / "room"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.glob("tradex-preview-*")) == []


def days(workspace: Workspace) -> tuple[str, str]:
    found = workspace.datasets.days()
    assert found is not None
    return found[0].isoformat(), found[1].isoformat()


def told(found: list[Differing]) -> list[tuple[object, ...]]:
    """All that does not say which version it is."""
    return [
        (one.dataset, one.partition, one.rows_before, one.rows_after, one.rows_gone, one.rows_new, one.rows_changed,
         one.columns, one.transitions, one.samples)
        for one in found
    ]  # fmt: skip


def state(workspace: Workspace) -> tuple[int, list[Path]]:
    return workspace.ledger.position(), sorted(root_of(workspace).rglob("*"))


def test_what_a_preview_says_of_an_edited_definition_and_what_follows_comes_true(workspace: Workspace):
    first, last = days(workspace)
    small.edit(workspace, "gold_metrics", "count(*)::bigint as mentions", "(count(*) * 2)::bigint as mentions")
    before = state(workspace)
    made = workspace.datasets.preview("gold_metrics", first, last, downstream=True)
    found = made.run()
    assert state(workspace) == before
    assert [one.dataset for one in found.datasets] == ["gold_metrics", "gold_baselines", "gold_signals"]
    assert found.datasets[0].what == ["its statement is another"]
    assert {"signal", "mentions"} <= {name for one in found.differing for name in one.columns}
    workspace.datasets.bump("gold_metrics", reason="mentions are counted twice, INC-7")
    small.backfill(workspace, int(first[-2:]), int(last[-2:]), kind="logical", dataset="gold_metrics")
    for name in ("gold_metrics", "gold_baselines", "gold_signals"):
        truth = [one for one in workspace.audit.diff_versions(name, 1, 2) if first <= one.partition.isoformat() <= last]
        assert told(truth) == told([one for one in found.differing if one.dataset == name]), name


def test_a_new_dataset_is_shown_by_its_first_rows_and_nobody_knows_what_it_takes(workspace: Workspace, tmp_path: Path):
    (tmp_path / "moods.sql").write_text(MOODS, "utf-8")
    made = workspace.datasets.preview("gold_moods", "2024-01-02", "2024-01-03", file=tmp_path / "moods.sql", samples=3)
    assert [(one.rows, one.seconds) for one in made.expected] == [(None, None)]
    found = made.run()
    truth = workspace.query(
        "select event_date, ticker, sum(sentiment) from silver_social_events "
        "where event_date in ('2024-01-02', '2024-01-03') group by all order by all"
    ).rows
    assert [tuple(row.values()) for row in found.rows] == [tuple(row) for row in truth[:3]]
    assert sum(one.rows_new for one in found.differing) == len(truth) == found.datasets[0].rows_after
    assert found.datasets[0].version is None
    with pytest.raises(UnknownDatasetError):
        workspace.datasets.preview("gold_moods", "2024-01-02", "2024-01-03")


def test_what_versions_took_is_what_the_next_one_is_expected_to_take(workspace: Workspace):
    made = workspace.datasets.preview("gold_signals", "2024-01-02", "2024-01-04")
    (expected,) = made.expected
    count = "select count(*) from gold_signals where date between '2024-01-02' and '2024-01-04'"
    assert expected.rows == workspace.query(count).rows[0][0]
    assert expected.seconds is not None and expected.seconds.low <= expected.seconds.likely <= expected.seconds.high


def test_days_that_read_the_one_before_are_built_one_after_the_other(workspace: Workspace, tmp_path: Path):
    (tmp_path / "running.sql").write_text(RUNNING, "utf-8")
    found = workspace.datasets.preview("running", *days(workspace), file=tmp_path / "running.sql").run()
    truth = workspace.query("select date, sum(mentions) from gold_metrics group by 1 order by 1").rows
    total, totals = 0, {}
    for day, mentions in truth:
        total += mentions
        totals[day] = total
    assert {row["date"]: row["total"] for row in found.rows if row["date"] in totals} == totals
    assert any("reads its own earlier days" in note for note in found.notes)


@pytest.mark.parametrize(
    "statement", ["random()::bigint", "epoch(now())::bigint", "(select count(*) from read_csv('/etc/passwd'))"]
)
def test_the_gate_judges_before_anything_runs(workspace: Workspace, room: Path, statement: str):
    small.edit(workspace, "gold_metrics", "count(*)::bigint as mentions", f"{statement} as mentions")
    made = workspace.datasets.preview(
        "gold_metrics", "2024-01-02", "2024-01-03", progress=lambda *_: pytest.fail("it runs")
    )
    for judged in (made.check, made.run):
        with pytest.raises((NotDeterministicError, DefinitionError)):
            judged()
    assert list(room.iterdir()) == []


def test_what_cannot_be_previewed_is_refused_with_what_to_do(workspace: Workspace, tmp_path: Path):
    look = workspace.datasets.preview
    with pytest.raises(NothingToPreviewError):
        look("bronze_x_posts", "2024-01-02", "2024-01-03").run()
    with pytest.raises(RangeError):
        look("gold_signals", "2031-01-02", "2031-01-03").run()
    with pytest.raises(RangeError):
        look("gold_signals", "2024-01-03", "2024-01-02").run()
    with pytest.raises(NoSuchFileError):
        look("gold_signals", "2024-01-02", "2024-01-03", file=tmp_path / "none.sql")
    folder = workspace.config.pipeline
    assert folder is not None
    (folder / "gold_moods.sql").write_text(MOODS, "utf-8")
    (tmp_path / "on.sql").write_text(
        MOODS.replace("silver_social_events", "gold_moods")
        .replace("event_date as date", "date")
        .replace("sentiment", "mood"),
        "utf-8",
    )
    with pytest.raises(NothingToPreviewError, match="nothing was built"):
        look("gold_more", "2024-01-02", "2024-01-03", file=tmp_path / "on.sql").run()
    small.edit(workspace, "gold_metrics", "count(*)::bigint as mentions", "(count(*) * 2)::bigint as mentions")
    (folder / "gold_moods.sql").unlink()
    workspace.datasets.bump("gold_metrics", reason="mentions are counted twice, INC-7")
    with pytest.raises(IncompleteInputsError):
        look("gold_signals", "2024-01-02", "2024-01-03").run()


def test_who_interrupts_leaves_nothing(workspace: Workspace, room: Path):
    def interrupt(stage: str, done: int, total: int) -> None:
        assert list(room.glob("tradex-preview-*"))
        raise KeyboardInterrupt

    before = state(workspace)
    with pytest.raises(KeyboardInterrupt):
        workspace.datasets.preview("gold_signals", "2024-01-02", "2024-01-03", progress=interrupt).run()
    assert state(workspace) == before


def test_text_that_was_put_back_is_recognised(workspace: Workspace, capsys: pytest.CaptureFixture[str]):
    old = "count(*)::bigint as mentions"
    small.edit(workspace, "gold_metrics", old, "(count(*) * 2)::bigint as mentions")
    workspace.datasets.bump("gold_metrics", reason="mentions are counted twice, INC-7")
    assert workspace.audit.look.put_back() == []
    position = str(workspace.ledger.position())
    small.edit(workspace, "gold_metrics", "(count(*) * 2)::bigint as mentions", old)
    (one,) = workspace.audit.look.put_back()
    assert (one.dataset, one.version, one.newest) == ("gold_metrics", 1, 2)
    assert workspace.audit.look.put_back(position) == workspace.audit.look.put_back(dataset="gold_signals") == []
    found = workspace.datasets.preview("gold_metrics", "2024-01-02", "2024-01-03").run()
    assert (found.datasets[0].same_as, found.datasets[0].newest, found.differing) == ([1], 2, [])
    folder = str(workspace.config.folder)
    for command in (["list"], ["show", "gold_metrics"], ["diff", "gold_metrics"]):
        run(["-C", folder, "dataset", *command])
        assert "very text of version 1" in capsys.readouterr().err
    assert run(["-C", folder, "dataset", "preview", "gold_metrics", "--from", "2024-01-02", "--to", "2024-01-02"]) == 0
    assert "this is version 1's text" in capsys.readouterr().err


def test_an_edited_input_is_read_as_the_lake_has_it_and_that_is_said(workspace: Workspace):
    small.edit(workspace, "gold_metrics", "count(*)::bigint as mentions", "(count(*) * 2)::bigint as mentions")
    found = workspace.datasets["gold_signals"].preview("2024-01-02", "2024-01-03")
    assert found.differing == []
    assert [note.split(",")[0] for note in found.notes] == ["gold_metrics"]


def test_the_shell_has_it_in_every_form(workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    small.edit(workspace, "gold_metrics", "count(*)::bigint as mentions", "(count(*) * 2)::bigint as mentions")
    call = ["-C", str(workspace.config.folder), "dataset", "preview", "gold_metrics", "--from", "2024-01-02"]
    call += ["--to", "2024-01-03", "--samples", "2", "--where", "mentions > 0"]
    assert run(call) == 1
    said = capsys.readouterr()
    assert "gold_metrics.mentions changed in" in said.out
    assert "days to build: about" in said.err and "nothing of it is recorded" in said.err
    assert run([*call, "--json"]) == 1
    document = orjson.loads(capsys.readouterr().out)
    assert (document["first"], document["datasets"][0]["newest"]) == ("2024-01-02", 1)
    for name in ("x.csv", "x.parquet", "x.jsonl"):
        assert run([*call, "-o", str(tmp_path / name)]) == 1
        assert (tmp_path / name).stat().st_size > 0


def test_a_file_beside_the_lake_is_held_against_its_digest(workspace: Workspace, tmp_path: Path):
    file = tmp_path / "built.parquet"
    file.write_bytes(b"rows")
    scratch = Scratch(workspace.core.lake, tmp_path)
    named = scratch.named(StagedFile(day_of("2024-01-02"), file, 1, 4, sha256_of(file)))
    assert scratch.fetch(named) == scratch.near(named) == file
    file.write_bytes(b"rows and more")
    with pytest.raises(LakeFileError):
        scratch.fetch(named)
