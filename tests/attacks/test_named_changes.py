"""What changed in the definitions without the ledger's knowing is named, with its mend, by whatever meets it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything
from tests.kit.lake import events, partitions
from tradex_ledger.cli.main import run
from tradex_ledger.domain.dataset_errors import DefinitionsChangedError
from tradex_ledger.errors import RefusedError
from tradex_ledger.workspace import Workspace

REASON = "the desk asked for it, INC-4711"


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worlds.copied(tmp_path_factory.mktemp("named"), days=4, until=4, pipeline=True)


@pytest.fixture
def workspace(week: Path, tmp_path: Path) -> Iterator[Workspace]:
    with small.reopen(Path(shutil.copytree(week, tmp_path / "ws"))) as opened:
        yield opened


@pytest.fixture
def tradex(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def call(*arguments: str) -> tuple[int, str]:
        status = run(["-C", str(workspace.config.folder), *arguments])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return call


def file_of(workspace: Workspace, dataset: str) -> Path:
    return workspace.config.folder / "pipeline" / f"{dataset}.sql"


def edited(dataset: str, old: str, new: str) -> Callable[[Workspace], None]:
    return lambda workspace: small.edit(workspace, dataset, old, new)


def removed(dataset: str) -> Callable[[Workspace], None]:
    return lambda workspace: file_of(workspace, dataset).unlink()


def renamed(dataset: str, name: str) -> Callable[[Workspace], object]:
    return lambda workspace: file_of(workspace, dataset).rename(file_of(workspace, name))


CHANGES: dict[str, tuple[Callable[[Workspace], object], str, str]] = {
    "removed": (removed("gold_signals"), "gold_signals has no definition any more", "put gold_signals.sql back"),
    "removed, of Bronze": (
        removed("bronze_x_posts__rejected"),
        "bronze_x_posts__rejected has no definition any more",
        "tradex dataset deprecate bronze_x_posts__rejected 1",
    ),
    "removed, and read": (
        removed("gold_baselines"),
        "gold_signals reads gold_baselines, which is not in the pipeline",
        "put gold_baselines.sql into its folder (back",
    ),
    "renamed": (
        renamed("gold_signals", "gold_marks"),
        "gold_signals has no definition any more (it is called gold_marks now",
        "name gold_marks.sql gold_signals.sql again",
    ),
    "another component": (
        edited("gold_signals", "signal_version", "mark_version"),
        "its component is 'mark_version' and was 'signal_version'",
        "rename gold_signals.sql",
    ),
    "no component": (
        edited("gold_signals", '-- component = "signal_version"\n', ""),
        "its component is none and was 'signal_version'",
        "go back to what it was",
    ),
    "another layer": (
        edited("silver_social_events", '"silver"', '"gold"'),
        "its layer is 'gold' and was 'silver'",
        "rename silver_social_events.sql",
    ),
    "another partition": (
        edited("gold_metrics", '"date"\n', '"day"\n'),
        "its partition is 'day' and was 'date'",
        "rename gold_metrics.sql",
    ),
    "another key": (
        edited("gold_signals", '["date", "ticker"]', '["ticker", "date"]'),
        "its header says other key",
        "tradex dataset bump gold_signals",
    ),
    "other columns": (
        edited("gold_signals", "sentiment_mean\nfrom scored", "sentiment_mean,\n    1 as one\nfrom scored"),
        "the logic of gold_signals is not that of its version 1 any more",
        "tradex dataset bump gold_signals",
    ),
    "an edit": (edited("gold_signals", "z >= 3", "z >= 4"), "its statement is another", "dataset bump gold_signals"),
    "other words": (
        lambda workspace: (workspace.config.folder / "pipeline" / "lexicon.csv").write_text("word,weight\nup,1\n"),
        "its reference data is other: lexicon",
        "tradex dataset bump silver_social_events",
    ),
}
REQUEST = ("--from", "2024-01-03", "--to", "2024-01-03", "--no-override-state", "--reason", REASON)


@pytest.mark.norm("N27")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_named_with_its_mend_by_whatever_meets_it_and_nothing_goes_on(
    workspace: Workspace, tradex: Callable[..., tuple[int, str]], change: str
):
    make, named, mend = CHANGES[change]
    make(workspace)
    position = workspace.ledger.position()
    for arguments in (
        ("run", "--to", "2024-01-04"),
        ("backfill", "request", "temporal", "gold_signals", *REQUEST),
        ("backfill", "request", "temporal", "bronze_x_posts", *REQUEST, "--dry-run"),
    ):
        status, said = tradex(*arguments)
        assert (status, named in said, mend in said) == (3, True, True), said
    for look in (("status",), ("backfill", "propose", "--no-source")):
        _, said = tradex(*look)
        assert (named in said, mend in said) == (True, True), said
    told = json.loads(tradex("--json", "status")[1])["definitions"]
    assert [named in one["message"] for one in told] == [True]
    assert workspace.ledger.position() == position


def test_nothing_is_named_where_nothing_changed(workspace: Workspace, tradex: Callable[..., tuple[int, str]]):
    file = file_of(workspace, "gold_signals")
    file.write_text(file.read_text(encoding="utf-8") + "\n-- said of it later\n", encoding="utf-8")
    assert json.loads(tradex("--json", "status")[1])["definitions"] == []
    assert "definitions" not in tradex("status")[1]


def test_another_layer_component_or_partition_is_no_new_version(workspace: Workspace):
    small.edit(workspace, "gold_signals", "signal_version", "mark_version")
    for bump in (
        lambda: workspace.datasets.bump("gold_signals", reason=REASON),
        lambda: workspace.datasets.bump_changed(reason=REASON),
    ):
        with pytest.raises(DefinitionsChangedError, match="its component is 'mark_version'"):
            bump()
    assert len(events(workspace, "topic = 'dataset.logic_versioned' and dataset = 'gold_signals'")) == 1


def test_several_are_named_at_once(workspace: Workspace):
    removed("gold_signals")(workspace)
    small.edit(workspace, "gold_metrics", '"date"\n', '"day"\n')
    with pytest.raises(DefinitionsChangedError, match=r"its partition is 'day'.*; gold_signals has no definition"):
        workspace.incremental.run(last=small.day(4))


def test_what_is_given_up_on_record_stops_nothing_and_comes_back_on_record(
    workspace: Workspace, tradex: Callable[..., tuple[int, str]]
):
    file = file_of(workspace, "gold_signals")
    text = file.read_text(encoding="utf-8")
    file.unlink()
    assert tradex("dataset", "deprecate", "gold_signals", "1", "--reason", REASON)[0] == 0
    assert workspace.incremental.run(last=small.day(4)).status == "SUCCESS"
    assert json.loads(tradex("--json", "status")[1])["definitions"] == []
    file.write_text(text, encoding="utf-8")
    status, said = tradex("run", "--to", "2024-01-05")
    assert (status, "tradex dataset restore gold_signals 1" in said) == (3, True)
    assert tradex("dataset", "restore", "gold_signals", "1", "--reason", REASON)[0] == 0
    assert workspace.incremental.run(last=small.day(5)).status == "SUCCESS"
    _, said = tradex("backfill", "propose", "--no-source")  # the day on which it was away
    assert "gold_signals was never built there" in said
    assert "--from 2024-01-04 --to 2024-01-04" in said
    check_everything(workspace)


def test_one_that_comes_back_as_it_was_goes_on_and_one_that_does_not_is_named(workspace: Workspace):
    file = file_of(workspace, "gold_signals")
    text = file.read_text(encoding="utf-8")
    file.unlink()
    with pytest.raises(DefinitionsChangedError):
        workspace.incremental.run(last=small.day(4))
    file.write_text(text.replace("z >= 3", "z >= 4"), encoding="utf-8")
    with pytest.raises(RefusedError, match="is not that of its version 1 any more"):
        workspace.incremental.run(last=small.day(4))
    file.write_text(text, encoding="utf-8")
    assert workspace.incremental.run(last=small.day(4)).status == "SUCCESS"
    assert {row["partition"] for row in partitions(workspace) if row["dataset"] == "gold_signals"} >= {small.day(4)}


def test_a_run_that_planned_what_was_given_up_since_says_so(workspace: Workspace):
    run_id = small.request(workspace, 3, 3)
    workspace.backfills.approve(run_id)
    removed("gold_signals")(workspace)
    with pytest.raises(DefinitionsChangedError):
        workspace.runs.drive(run_id)
    workspace.datasets.deprecate("gold_signals", 1, reason=REASON)
    with pytest.raises(RefusedError, match=r"planned for version 1 of gold_signals, and now it is not in the pipeline"):
        workspace.runs.drive(run_id)


def test_what_has_no_definition_is_asked_for_by_name_in_vain(workspace: Workspace):
    removed("gold_signals")(workspace)
    for command in (
        lambda: workspace.datasets.bump("gold_signals", reason=REASON),
        lambda: workspace.datasets.protect("gold_signals", small.day(1), small.day(2), reason=REASON),
    ):
        with pytest.raises(DefinitionsChangedError, match="gold_signals has no definition any more"):
            command()


def away_for_a_day(workspace: Workspace, tradex: Callable[..., tuple[int, str]], *names: str) -> None:
    """Datasets are given up, a day is run without them, and they come back."""
    texts = {file_of(workspace, name): file_of(workspace, name).read_text(encoding="utf-8") for name in names}
    for name in names:
        removed(name)(workspace)
        assert tradex("dataset", "deprecate", name, "1", "--reason", REASON)[0] == 0
    assert workspace.incremental.run(last=small.day(4)).status == "SUCCESS"
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8")
    for name in names:
        assert tradex("dataset", "restore", name, "1", "--reason", REASON)[0] == 0


GIVEN_UP = ("gold_signals", "gold_baselines", "gold_metrics")
FILLS = "tradex backfill request temporal {} --from 2024-01-04 --to 2024-01-04"


def test_days_that_one_missed_while_it_was_away_are_built_upon_by_nobody(
    workspace: Workspace, tradex: Callable[..., tuple[int, str]]
):
    away_for_a_day(workspace, tradex, *GIVEN_UP)
    position = workspace.ledger.position()
    for look in (("status",), ("backfill", "propose", "--no-source")):
        said = tradex(*look)[1]
        assert ("gold_metrics was never built" in said, FILLS.format("gold_metrics") in said) == (True, True), said
    status, said = tradex("run", "--to", "2024-01-05")
    assert (status, FILLS.format("gold_metrics") in said) == (3, True), said
    assert workspace.ledger.position() == position
    small.backfill(workspace, 4, 4, dataset="gold_metrics")
    assert workspace.incremental.run(last=small.day(5)).status == "SUCCESS"
    check_everything(workspace)


def test_days_that_one_missed_which_nobody_reads_are_said_by_the_run(
    workspace: Workspace, tradex: Callable[..., tuple[int, str]]
):
    away_for_a_day(workspace, tradex, "gold_signals")
    for command in (("run", "--to", "2024-01-05"), ("status",)):
        status, said = tradex(*command)
        assert (status, FILLS.format("gold_signals") in said) == (0, True), said
