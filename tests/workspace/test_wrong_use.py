"""Wrong use and a broken world: each its own clear error with a mend, and the ledger and the lake as they were.

What is refused before a drive leaves no trace at all. What stops a drive leaves the attempt on record (N34), and
nothing else: no partition, no file, no state differs.
"""

from __future__ import annotations

import ctypes
import errno
import gzip
import hashlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit import small
from tests.kit.check import check_everything, read_record
from tests.kit.lake import events, projection, read_dataset
from tests.kit.lake_folder import root_of
from tests.kit.rows import rows
from tests.kit.tree import ROOT
from tradex_ledger.config import FILE, ConfigError
from tradex_ledger.datasets.definition import DefinitionError, UnknownDatasetError
from tradex_ledger.datasets.gate import NotDeterministicError
from tradex_ledger.domain.backfill import Backfill
from tradex_ledger.domain.backfill_errors import PlanMismatchError
from tradex_ledger.domain.base import WrongStateError
from tradex_ledger.domain.dataset_errors import LogicChangedError
from tradex_ledger.domain.incremental import NothingToRunError
from tradex_ledger.domain.reason import NotUtf8Error, PlaceholderReasonError
from tradex_ledger.domain.request import RangeError, Request
from tradex_ledger.driving.window import ReadsOutsideWindowError, RepeatedKeyError
from tradex_ledger.errors import EnvironmentFault, TradexError, UsageError
from tradex_ledger.lake.folder import STAGING
from tradex_ledger.lake.storage import LakeFileError, translate
from tradex_ledger.ledger.named import NoSuchStreamError
from tradex_ledger.planning.plan import NoNewLogicError
from tradex_ledger.sources.files import FolderUnreadable
from tradex_ledger.sources.records import FileUnreadable
from tradex_ledger.views import open_views, resolve
from tradex_ledger.workspace import Workspace, WorkspaceExistsError

OF_AN_ATTEMPT = {"run.layer_started", "run.layer_completed", "run.layer_failed", "run.plan_extended"}
CLOSED = {"backfill.failed", "incremental_run.failed"}
VISIBLE = ("partitions", "volumes", "pipeline_state", "pipeline_state_history", "logic_versions")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that has run over five days, with a pipeline folder of its own (the built-in definitions)."""
    folder = tmp_path_factory.mktemp("template")
    worlds.copied(folder, days=5, until=6, pipeline=True)
    return folder


@pytest.fixture
def ws(template: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of the template, with posts of its own."""
    with copy_of(template, tmp_path / "mine") as workspace:
        yield workspace


@pytest.fixture(scope="module")
def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One copy for all that leave no trace."""
    with copy_of(template, tmp_path_factory.mktemp("shared") / "mine") as workspace:
        yield workspace


def copy_of(template: Path, folder: Path) -> Workspace:
    return small.reopen(small.copied(template, folder))


def posts(workspace: Workspace) -> Path:
    return workspace.config.folder.parent / "posts"


def late_post(workspace: Workspace, number: int = 3, text: str = "late $TSLA") -> None:
    """A post of a January day that is delivered after it."""
    line = f'{{"id":"17419{number:02}000000000001","text":"{text}","author_id":"9"'
    line += f',"created_at":"2024-01-{number:02}T10:00:00.000Z"}}\n'
    (posts(workspace) / f"2024-01-2{number}.jsonl").write_text(line, encoding="utf-8")


def lake_files(workspace: Workspace) -> dict[str, str]:
    """Every file below the lake, staging included, and its digest."""
    root = root_of(workspace)
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def visible(workspace: Workspace) -> dict[str, list[str]]:
    """What any reader is told, and the lake below it."""
    engine = workspace.ledger.store
    with open_views(engine, resolve(engine, None)) as views:
        told = {name: sorted(map(repr, rows(views, name))) for name in VISIBLE}
    return {**told, "files": sorted(f"{name} {digest}" for name, digest in lake_files(workspace).items())}


def stored(workspace: Workspace) -> tuple[Any, dict[str, str]]:
    """The ledger and the lake as they are stored: all that any reader can be told follows from that."""
    record = read_record(workspace)
    return (record.rows, record.tiles), lake_files(workspace)


@contextmanager
def refused(workspace: Workspace, error: type[TradexError], match: str) -> Iterator[None]:
    """The command is refused by that error, with a mend, and nothing at all has changed."""
    before = stored(workspace)
    with pytest.raises(error, match=match) as caught:
        yield
    clear(caught.value)
    assert stored(workspace) == before


def clear(error: TradexError) -> None:
    """Something a person can act on."""
    assert error.code not in ("", "error")
    assert error.mend
    assert "Traceback" not in error.message
    assert "\n" not in error.message


def stops(workspace: Workspace, error: type[TradexError], match: str, command: Callable[[], object]) -> TradexError:
    """The drive is stopped by that error; the attempt is on record, and nothing else has changed."""
    position, before = workspace.ledger.position(), visible(workspace)
    with pytest.raises(error, match=match) as caught:
        command()
    clear(caught.value)
    new = [e for e in events(workspace, f"position > {position}") if not e["topic"].endswith(".started")]
    assert new[-1]["topic"] in CLOSED
    assert new[-2]["topic"] == "run.layer_failed"
    assert f'"error":"{caught.value.code}"' in str(new[-2]["data"])
    assert {e["topic"] for e in new[:-1]} <= OF_AN_ATTEMPT
    assert visible(workspace) == before
    return caught.value


def approved(workspace: Workspace, first: int = 3, last: int = 4, **changes: Any) -> str:
    run_id = small.request(workspace, first, last, **changes)
    workspace.backfills.approve(run_id)
    return run_id


# -- requests that no rule admits


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"dataset": "bronze_y"}, UnknownDatasetError, "there is no dataset 'bronze_y'"),
        ({"dataset": ""}, UnknownDatasetError, "there is no dataset ''"),
        ({"first": small.day(4), "last": small.day(3)}, RangeError, "reversed"),
        ({"last": date(2024, 3, 1)}, RangeError, "future"),
        (
            {"dataset": "gold_metrics", "first": date(2023, 5, 1), "last": date(2023, 5, 2)},
            RangeError,
            "is empty: gold_metrics has from 2024-01-01",
        ),
        ({"reason": "test test test"}, PlaceholderReasonError, "says nothing"),
        ({"reason": ""}, PlaceholderReasonError, "says nothing"),
        ({"reason": "the outage of \udcff January"}, NotUtf8Error, "is not valid UTF-8"),
        ({"ticket": "INC\udcff"}, NotUtf8Error, "is not valid UTF-8"),
        ({"override_state": True}, TradexError, "cannot override the pipeline state"),
        ({"kind": "weekly"}, UsageError, "'weekly' is no kind of backfill"),
        ({"kind": "forced"}, TradexError, "needs a ticket"),
        ({"priority": "asap"}, UsageError, "unknown priority"),
    ],
    ids=[
        "dataset",
        "no-dataset",
        "reversed",
        "future",
        "empty",
        "placeholder",
        "no-reason",
        "bytes",
        "bytes-ticket",
        "override",
        "kind",
        "ticket",
        "priority",
    ],
)
def test_a_request_that_a_rule_refuses_leaves_no_trace(
    shared: Workspace, changes: dict[str, Any], error: type[TradexError], match: str
):
    with refused(shared, error, match):
        small.request(shared, **changes)


@pytest.mark.norm("N22")
def test_a_request_that_does_not_declare_override_state_is_refused(shared: Workspace):
    position = shared.ledger.position()
    order: dict[str, Any] = {
        "kind": "temporal",
        "dataset": "bronze_x_posts",
        "first": small.day(3),
        "last": small.day(4),
    }
    with pytest.raises(TypeError, match="override_state"):
        shared.backfills.request(Request(**order, reason=small.REASON))
    assert shared.ledger.position() == position


@pytest.mark.norm("N12")
def test_a_logical_backfill_without_new_logic_is_refused(shared: Workspace):
    with refused(shared, NoNewLogicError, "is complete under its version 1: no logic has changed"):
        small.request(shared, kind="logical", dataset="gold_signals")


@pytest.mark.norm("N33")
def test_a_dry_run_plans_and_records_nothing(shared: Workspace):
    before = stored(shared)
    order: dict[str, Any] = {
        "kind": "temporal",
        "dataset": "bronze_x_posts",
        "first": small.day(3),
        "last": small.day(4),
    }
    _, plan = shared.backfills.plan(Request(**order, override_state=False, reason=small.REASON))
    assert {w.dataset for w in plan.windows} >= {"silver_social_events", "gold_signals"}
    assert stored(shared) == before


@pytest.mark.norm("N32")
def test_a_plan_larger_than_the_policy_allows_is_refused(ws: Workspace):
    small.set_policy(ws.config.folder, max_partitions=3)
    with small.reopen(ws.config.folder) as strict, refused(strict, TradexError, "the policy allows 3"):
        small.request(strict)


def test_commands_for_runs_that_are_not_there_or_not_ready_leave_no_trace(ws: Workspace):
    run_id = small.request(ws)
    with refused(ws, NoSuchStreamError, "'bf-0000'"):
        ws.backfills.approve("bf-0000")
    with refused(ws, WrongStateError, "is PLANNED"):
        ws.runs.drive(run_id)
    with refused(ws, PlanMismatchError, "has the plan"):
        ws.backfills.approve(run_id, plan_digest="f" * 64)
    with refused(ws, PlaceholderReasonError, "says nothing"):
        ws.runs.cancel(run_id, reason="because")


def test_a_run_into_the_future_or_into_the_past_leaves_no_trace(shared: Workspace):
    with refused(shared, UsageError, "lies in the future"):
        shared.incremental.run(last=date(2024, 2, 29))
    with refused(shared, NothingToRunError, "already run to"):
        shared.incremental.run(last=small.day(5))


@pytest.mark.norm("N37")
def test_the_settings_have_no_switch_for_dedup(ws: Workspace):
    settings = ws.config.folder / FILE
    whole = settings.read_text(encoding="utf-8")
    for section in ("policy", "source", "workspace"):
        before, heading, after = whole.partition(f"[{section}]")
        text = f"{before}{heading}\ndedup = false\n#{after}"
        settings.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=rf"\[{section}\] has dedup, which nobody knows") as caught:
            Workspace.open(ws.config.folder)
        clear(caught.value)


def test_a_workspace_is_made_once(ws: Workspace):
    with refused(ws, WorkspaceExistsError, "is a workspace already"):
        Workspace.create(ws.config.folder, source=f"files:{posts(ws)}", clock=small.Ticking())


# -- deliveries that are not what they should be


def test_lines_that_are_no_posts_are_kept_with_file_line_and_reason(ws: Workspace):
    good = '{"id":"1741905000000000009","text":"$TSLA","author_id":"9","created_at":"2024-01-05T10:00:00.000Z"}'
    lines = [good, '{"id":"17', "<html>502</html>", "", '{"title":"Too Many Requests"}', '["a list"]']
    (posts(ws) / "2024-01-05-more.jsonl").write_text("\n".join(lines), encoding="utf-8")
    before = read_dataset(ws, "bronze_x_posts__rejected", without=("run_id", "ingested_at", "raw_sha256"))
    ws.runs.drive(approved(ws, 5, 5))
    after = read_dataset(ws, "bronze_x_posts__rejected", without=("run_id", "ingested_at", "raw_sha256"))
    new = [row for row in after if row not in before]
    unfit = [*lines[1:3], lines[4], '"a list"']  # of a list each element
    assert [(row[1], row[2], row[4]) for row in sorted(new, key=lambda row: row[2])] == [
        ("2024-01-05-more.jsonl", number, raw) for number, raw in zip((2, 3, 5, 6), unfit, strict=True)
    ]
    assert all(row[0] == small.day(5) and row[3] for row in new)
    assert "1741905000000000009" in {row[1] for row in read_dataset(ws, "bronze_x_posts")}
    check_everything(ws)


@pytest.mark.norm("N34")
@pytest.mark.parametrize("cut", [-20, 0], ids=["tail", "no-gzip"])
def test_a_truncated_delivery_stops_the_run_and_a_whole_one_resumes_it(ws: Workspace, cut: int):
    whole = gzip.compress(b'{"id":"1741905000000000009","text":"$TSLA"}\n' * 50)
    broken = posts(ws) / "2024-01-06.jsonl.gz"
    broken.write_bytes(whole[:cut] if cut else b"\0")
    stops(ws, FileUnreadable, r"2024-01-06\.jsonl\.gz", lambda: ws.incremental.run(last=small.day(6)))
    broken.unlink()
    assert ws.incremental.run(last=small.day(6)).status == "SUCCESS"
    check_everything(ws)


def test_a_source_folder_that_is_gone_stops_the_run(ws: Workspace):
    shutil.move(posts(ws), posts(ws).with_name("elsewhere"))
    stops(ws, FolderUnreadable, "posts", lambda: ws.incremental.run(last=small.day(6)))


# -- a lake that is not what it should be


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "edited": flip,
    "missing": lambda path: path.unlink(),
}


@pytest.mark.norm("N34")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_lake_file_stops_the_backfill_by_name_and_restored_it_goes_on(ws: Workspace, damage: str):
    late_post(ws)
    run_id = approved(ws)
    (path,) = (root_of(ws) / "bronze_x_posts" / "event_date=2024-01-03").iterdir()
    whole = path.read_bytes()
    DAMAGES[damage](path)
    error = stops(ws, LakeFileError, path.name, lambda: ws.runs.drive(run_id))
    assert "restore that very file" in error.mend
    path.write_bytes(whole)
    if damage == "missing":
        assert ws.runs.drive(run_id).status == "SUCCESS"
        check_everything(ws)


@pytest.mark.norm("N34")
def test_a_damaged_file_of_gold_stops_the_backfill_after_bronze_and_nothing_is_published(ws: Workspace):
    late_post(ws)
    run_id = approved(ws)
    (path,) = (root_of(ws) / "gold_metrics" / "feature_version=1" / "date=2024-01-01").iterdir()
    whole, before = path.read_bytes(), derived(ws)
    flip(path)
    with pytest.raises(LakeFileError, match="gold_metrics/feature_version=1/date=2024-01-01") as caught:
        ws.runs.drive(run_id)
    clear(caught.value)
    assert derived(ws) == before
    assert ws.ledger.get(Backfill, run_id).errors == {"gold": 1}
    path.write_bytes(whole)
    assert ws.runs.drive(run_id).status == "SUCCESS"
    assert derived(ws) != before
    check_everything(ws)


def derived(workspace: Workspace) -> list[str]:
    """The partitions of Silver and Gold that readers see."""
    return sorted(repr(row) for row in projection(workspace, "partitions") if row["layer"] != "bronze")


def test_a_file_in_place_of_the_lake_is_refused_before_the_drive(ws: Workspace):
    late_post(ws)
    run_id = approved(ws)
    aside = root_of(ws).with_name("aside")
    root_of(ws).rename(aside)
    root_of(ws).write_text("no folder", encoding="utf-8")
    position = ws.ledger.position()
    with pytest.raises(EnvironmentFault, match="preparing the lake") as caught:
        ws.runs.drive(run_id)
    clear(caught.value)
    assert str(root_of(ws)) in caught.value.message
    assert ws.ledger.position() == position
    root_of(ws).unlink()
    aside.rename(root_of(ws))
    assert ws.runs.drive(run_id).status == "SUCCESS"


DRIVE = """
import sys
from tests.kit import small
from tradex_ledger.errors import TradexError

folder, run_id = sys.argv[1:]
workspace = small.reopen(__import__("pathlib").Path(folder))
workspace.core.execution().prepare  # everything that is imported late is imported now
import duckdb, pyarrow.parquet, tradex_ledger.driving.drive
try:
    workspace.runs.drive(run_id)
except TradexError as error:
    print(type(error).__name__, error.code, error.message, error.mend, sep="|")
"""


def drive_elsewhere(workspace: Workspace, run_id: str, *, before: Any = None) -> list[str]:
    """Drive in a process of its own; what stopped it: class, code, message and mend."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVE, str(workspace.config.folder), run_id],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=before,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().split("|")


def test_a_lake_that_may_not_be_written_is_refused_before_the_drive(ws: Workspace):
    late_post(ws)
    run_id = approved(ws)
    position, before = ws.ledger.position(), visible(ws)
    for path in (root_of(ws), root_of(ws) / STAGING):
        path.chmod(0o555)
    try:
        said = drive_elsewhere(ws, run_id, before=bound_by_modes)
    finally:
        for path in (root_of(ws), root_of(ws) / STAGING):
            path.chmod(0o755)
    assert said[:2] == ["EnvironmentFault", "no-permission"]
    assert str(root_of(ws)) in said[2]
    assert said[3]
    assert ws.ledger.position() == position
    assert visible(ws) == before
    assert ws.runs.drive(run_id).status == "SUCCESS"


def bound_by_modes() -> None:
    """What this process starts obeys the modes of files, also as root (prctl(2): PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


@pytest.mark.norm("N34")
def test_a_full_disk_stops_the_run_clearly_and_with_room_it_resumes(ws: Workspace):
    late_post(ws, text="$TSLA " + os.urandom(200_000).hex())
    run_id = approved(ws)
    staging = root_of(ws) / STAGING
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(staging)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        error = stops(ws, EnvironmentFault, "the disk is full", lambda: ws.runs.drive(run_id))
    finally:
        subprocess.run(["umount", str(staging)], check=True)
    assert error.code == "disk-full"
    assert "make room" in error.mend
    assert ws.runs.drive(run_id).status == "SUCCESS"
    check_everything(ws)


@pytest.mark.norm("N34")
def test_a_file_beyond_the_limit_of_this_user_stops_the_run_clearly(ws: Workspace):
    late_post(ws, text="$TSLA " + os.urandom(4_000_000).hex())
    run_id = approved(ws)
    position, before = ws.ledger.position(), visible(ws)
    size = 3 << 20
    said = drive_elsewhere(ws, run_id, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
    assert said[:2] == ["EnvironmentFault", "disk-full"]
    topics = [e["topic"] for e in events(ws, f"position > {position}")]
    assert topics == ["run.layer_started", "run.layer_failed", "backfill.failed"]
    assert visible(ws) == before
    assert ws.runs.drive(run_id).status == "SUCCESS"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_what_a_full_disk_says_is_told_as_a_full_disk(number: int):
    fault = translate(OSError(number, os.strerror(number)), "appending to bronze_x_posts")
    assert fault.code == "disk-full"
    assert "appending to bronze_x_posts" in fault.message


def test_a_folder_where_a_file_must_be_is_told_as_one():
    fault = translate(OSError(errno.EISDIR, os.strerror(errno.EISDIR)), "reading the checkpoint .")
    assert fault.message.startswith("a folder stands where a file must be, while reading the checkpoint .")


# -- definitions that do not hold what they must


def redefine(workspace: Workspace, dataset: str, old: str, new: str) -> None:
    path = workspace.config.folder / "pipeline" / f"{dataset}.sql"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.norm("N27")
@pytest.mark.parametrize(
    ("dataset", "old", "new", "error", "match"),
    [
        ("gold_signals", "z >= 3", "z >= 4", LogicChangedError, "gold_signals is not that of its version 1"),
        ("gold_signals", "m.date,", "current_date as date,", NotDeterministicError, "current_date"),
        ("gold_signals", "from scored", "from scored where now() is not null", NotDeterministicError, r"now\(\)"),
        ("gold_metrics", "from silver_social_events", "from bronze_x_posts", DefinitionError, "bronze_x_posts"),
        ("gold_metrics", "from silver_social_events", "from", DefinitionError, "gold_metrics"),
        ("gold_metrics", '-- layer = "gold"\n', "", DefinitionError, "does not say its layer"),
    ],
    ids=["changed", "clock", "now", "undeclared", "syntax", "header"],
)
def test_a_definition_that_is_refused_leaves_no_trace(
    ws: Workspace, dataset: str, old: str, new: str, error: type[TradexError], match: str
):
    run_id = approved(ws)
    redefine(ws, dataset, old, new)
    with refused(ws, error, match):
        ws.runs.drive(run_id)
    for command in (lambda: ws.incremental.run(last=small.day(6)), lambda: small.request(ws)):
        with pytest.raises(error, match=match):
            command()
    assert [e["topic"] for e in events(ws, f"stream = '{run_id}'")][-1] == "backfill.approved"


@pytest.mark.norm("N27")
def test_a_changed_lexicon_is_changed_logic_and_is_refused(ws: Workspace):
    lexicon = ws.config.folder / "pipeline" / "lexicon.csv"
    lexicon.write_text(lexicon.read_text(encoding="utf-8") + "moon,3\n", encoding="utf-8")
    with refused(ws, LogicChangedError, "silver_social_events"):
        ws.incremental.run(last=small.day(6))


OWN = """\
-- /// dataset
-- layer = "gold"
-- partition = "date"
-- key = ["date", "ticker"]
-- reads = {{ gold_metrics = "0d" }}
-- ///
{}
"""
OUTSIDE = "select p.date, m.ticker, m.mentions from partitions p join gold_metrics m on m.date = p.date - 1"
TWICE = "select date, ticker, mentions from gold_metrics union all from gold_metrics select date, ticker, mentions"
FAILING = "select date, ticker, ('x' || ticker)::integer as n from gold_metrics"
ELSEWHERE = "select (date + 1)::date as date, ticker from gold_metrics"


@pytest.mark.norm("N34")
@pytest.mark.parametrize(
    ("sql", "error", "match"),
    [
        (OUTSIDE, ReadsOutsideWindowError, "reads days outside its declared window"),
        (TWICE, RepeatedKeyError, "repeats its key: date = 2024-01"),
        (FAILING, DefinitionError, "fails on 2024-01"),
        (ELSEWHERE, DefinitionError, "rows of other days"),
    ],
    ids=["outside", "twice", "failing", "elsewhere"],
)
def test_a_definition_that_fails_on_the_data_stops_the_drive_and_publishes_nothing(
    ws: Workspace, sql: str, error: type[TradexError], match: str
):
    (ws.config.folder / "pipeline" / "gold_own.sql").write_text(OWN.format(sql), encoding="utf-8")
    ws.datasets.register()
    run_id = approved(ws, dataset="gold_own")
    stops(ws, error, match, lambda: ws.runs.drive(run_id))
    (failed,) = events(ws, "topic = 'run.layer_failed'")
    assert (failed["dataset"], failed["layer"]) == ("gold_own", "gold")
    assert ws.ledger.get(Backfill, run_id).status == "FAILED"
