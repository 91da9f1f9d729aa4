"""A source that is called: pages, limits, faults, budgets, and a crash at each step; nothing twice, nothing lost."""

from __future__ import annotations

import errno
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.kit import small, x_platform
from tests.kit.x_platform import TOKEN, held
from tradex_ledger import extras
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE, ConfigError
from tradex_ledger.datasets.intake import Intake
from tradex_ledger.domain.day import day_of, start_of
from tradex_ledger.domain.extraction import Extraction
from tradex_ledger.domain.incremental import IncrementalRun
from tradex_ledger.domain.plan import Range
from tradex_ledger.domain.spending import BudgetSpentError, Spent
from tradex_ledger.driving.execution import Execution, Progress
from tradex_ledger.driving.fence import DrivenRun
from tradex_ledger.driving.fetch import fetch
from tradex_ledger.errors import TradexError
from tradex_ledger.extras import MissingExtraError
from tradex_ledger.pipelines.x.demo.platform import Held, Platform
from tradex_ledger.sources.called import CursorRepeatedError, NoBeginningError, Page, Pages, Span
from tradex_ledger.sources.x_api import client
from tradex_ledger.sources.x_api.place import NoTokenError, OddTokenError, OpenAddressError
from tradex_ledger.workspace import Workspace
from tradex_ledger.workspace.spending import NothingCalledError

UNTIL = date(2024, 3, 11)
POSTS = 240
"""Of ten days: one an hour."""


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for what is tried again."""
    monkeypatch.setattr(client, "_PAUSES_S", (0.01,) * 6)
    monkeypatch.setattr("tradex_ledger.sources.x_api.place.PAGE_ROWS", (10, 50))


@pytest.fixture
def platform() -> Iterator[Platform]:
    with x_platform.platform(POSTS) as made:
        yield made


@pytest.fixture
def workspace(tmp_path: Path, platform: Platform) -> Iterator[Workspace]:
    with x_platform.create(tmp_path / "ws") as made:
        yield made


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, Platform]]:
    """A workspace whose run has fetched everything, for questions; those ask for nothing that changes it."""
    folder = tmp_path_factory.mktemp("ran") / "ws"
    with x_platform.platform(POSTS) as platform, x_platform.create(folder) as workspace:
        workspace.incremental.run(last=UNTIL - timedelta(1))
        yield workspace, platform


class Told:
    """Hears how far it is."""

    def __init__(self) -> None:
        self.stages: list[str] = []

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.stages.append(stage)


class Fetching:
    """A run that has set out, and whoever drives it."""

    def __init__(self, workspace: Workspace, run_id: str | None = None, told: Progress | None = None) -> None:
        self.ex: Execution = workspace.core.execution(told or Told())
        scope = self.ex.scope
        if run_id is None:
            run = IncrementalRun.start(
                "run-0000000000001",
                pipeline="x",
                cursor_from=start_of(day_of(x_platform.FIRST)),
                cursor_to=start_of(day_of(UNTIL)),
                by="ana",
                policy=scope.policy,
                words=scope.words,
            )
            scope.ledger.append(run)
            run_id = run.id
        self.driven = DrivenRun(scope.ledger, run_id)
        self.intake: Intake = scope.intakes[0]
        self.extraction = Extraction("incremental", start_of(day_of(x_platform.FIRST)), start_of(day_of(UNTIL)), "")
        self.driven.run.start_layer("bronze", executor={}, extraction=self.extraction, by="ana")
        self.driven.append()

    def go(self) -> None:
        fetch(self.ex, self.driven, self.intake, self.extraction)


def ids_kept(workspace: Workspace) -> list[str]:
    """The ids of all posts in the pages that are kept."""
    found = []
    for page in sorted((workspace.config.folder / "fetched").rglob("*.json")):
        found += [post["id"] for post in json.loads(page.read_bytes()).get("data", [])]
    return found


def calls(workspace: Workspace) -> list[tuple[Any, ...]]:
    return list(workspace.query("select page, rows, calls from source_calls where kind = 'page'").rows)


# -- pages


@pytest.mark.parametrize("words", ["post", "tweet"])
def test_a_run_fetches_all_pages_in_either_vocabulary(tmp_path: Path, words: str):
    with x_platform.platform(POSTS, words=words) as platform, x_platform.create(tmp_path / "ws") as workspace:
        note = held(POSTS - 1, note="the whole of it, $TSLA too", reposts=7)
        edited = held(POSTS - 2)
        platform.hold([note, edited])
        new_id = x_platform.id_at(edited.created_at, 9_999)
        platform.edit(edited.id, "edited $AAPL", new_id)
        run = workspace.incremental.run(last=UNTIL - timedelta(1))
        assert (run.status, run.totals["rows"]) == ("SUCCESS", POSTS)
        assert run.spent.rows == platform.sent() == POSTS
        assert run.spent.micros == POSTS * 5_000
        found = workspace.query(
            "select text, retweets, author_id, post_id from bronze_x_posts where post_id in "
            f"('{note.id}', '{edited.id}') order by retweets"
        ).rows
        assert list(found) == [
            ("edited $AAPL", 0, "42", edited.id),
            ("the whole of it, $TSLA too", 7, "42", note.id),
        ]


def test_pages_are_in_the_ledger_with_their_cursors_and_the_files_are_theirs(workspace: Workspace):
    Fetching(workspace).go()
    events = [entry.data for entry in workspace.events() if entry.topic == "run.page_fetched"]
    assert [one["page"] for one in events] == [1, 2, 3, 4, 5]
    assert [one["cursor"] for one in events[1:]] == [one["next"] for one in events[:-1]]
    assert events[0]["cursor"] is events[-1]["next"] is None
    assert len(set(ids_kept(workspace))) == len(ids_kept(workspace)) == POSTS


# -- a crash at each step


class Crash(BaseException):
    """The process is gone."""


@pytest.mark.norm("N14")
@pytest.mark.parametrize("where", ["before the file", "behind the file", "behind the event"])
@pytest.mark.parametrize("page", [1, 3])
def test_a_crash_anywhere_loses_nothing_and_doubles_nothing(
    workspace: Workspace, platform: Platform, monkeypatch: pytest.MonkeyPatch, where: str, page: int
):
    keep = Pages.keep

    def dies(pages: Pages, number: int, body: bytes) -> None:
        if number == page and where == "before the file":
            raise Crash
        keep(pages, number, body)
        if number == page and where == "behind the file":
            raise Crash

    def hears(stage: str, done: int, total: int) -> None:
        if where == "behind the event" and f"page {page}," in stage:
            raise Crash

    begun = Fetching(workspace, told=hears)
    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(Pages, "keep", dies)
        begun.go()
    platform.hold([held(POSTS + 5_000, minutes=0)])  # in the middle of all that; no cursor moves by it
    again = Fetching(workspace, begun.driven.id)
    again.go()
    assert [number for number, *_ in calls(workspace)] == [1, 2, 3, 4, 5]
    assert len(set(ids_kept(workspace))) == len(ids_kept(workspace))
    assert {held(n).id for n in range(POSTS)} <= set(ids_kept(workspace))
    lost = 50 if where == "before the file" else 0  # what was on its way is delivered again, and billed once a day
    assert platform.sent() - again.driven.run.spent.rows == lost
    assert platform.billed() == again.driven.run.spent.rows


def test_a_page_that_is_gone_from_the_folder_is_fetched_again_and_all_behind_it(workspace: Workspace):
    begun = Fetching(workspace)
    begun.go()
    second = sorted((workspace.config.folder / "fetched").rglob("*.json"))[1]
    second.unlink()
    Fetching(workspace, begun.driven.id).go()
    assert [number for number, *_ in calls(workspace)] == [1, 2, 3, 4, 5, 2, 3, 4, 5]
    assert sorted(ids_kept(workspace)) == sorted(held(n).id for n in range(POSTS))


def test_a_cursor_that_the_platform_has_forgotten_begins_its_days_anew(workspace: Workspace, platform: Platform):
    platform.faults = [None, None, *[503] * 7]
    begun = Fetching(workspace)
    with pytest.raises(client.UnreachableError):
        begun.go()
    platform.forgotten = {str([e.data["next"] for e in workspace.events() if e.topic == "run.page_fetched"][-1])}
    Fetching(workspace, begun.driven.id).go()
    assert [number for number, *_ in calls(workspace)] == [1, 2, 1, 2, 3, 4, 5]
    assert sorted(ids_kept(workspace)) == sorted(held(n).id for n in range(POSTS))


def test_a_page_behind_another_than_it_was_asked_for_is_fetched_again(workspace: Workspace, platform: Platform):
    """Pages 1 and 2 are gone, a post more lies in them by now; only page 2 is fetched before the next crash."""
    begun = Fetching(workspace)
    begun.go()
    pages = sorted((workspace.config.folder / "fetched").rglob("*.json"))
    pages[1].unlink()
    platform.hold([Held((x_platform.id_at(held(185).created_at, 6_000),), "late", held(185).created_at)])
    platform.faults = [None, *[503] * 7]
    with pytest.raises(client.UnreachableError):
        Fetching(workspace, begun.driven.id).go()
    Fetching(workspace, begun.driven.id).go()
    assert len(set(ids_kept(workspace))) == len(ids_kept(workspace)) == POSTS + 1


def test_no_post_at_all_is_an_answer_too(tmp_path: Path):
    with x_platform.platform(0), x_platform.create(tmp_path / "ws") as workspace:
        assert workspace.incremental.run(last=UNTIL - timedelta(1)).status == "SUCCESS"


OPEN = [
    *("http://api.example.com", "ftp://127.0.0.1", "http://127.0.0.1.example.com", "https://", "https://["),
    *("https://a..b/", "https://ana:word@api.example.com", "https://api.example.com:port", f"https://{'a' * 64}.com"),
]


@pytest.mark.parametrize("url", OPEN)
def test_the_token_is_sent_to_no_open_address(workspace: Workspace, url: str):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(OpenAddressError):
        patch.setenv("TRADEX_X_API", url)
        Fetching(workspace).go()


def test_a_driver_that_was_taken_over_pays_for_no_further_page(workspace: Workspace, platform: Platform):
    slept = Fetching(workspace)
    Fetching(workspace, slept.driven.id).go()
    asked = platform.asked.total()
    with pytest.raises(TradexError) as fenced:
        slept.go()
    assert fenced.value.code == "fenced"
    assert platform.asked.total() <= asked + 1


# -- what goes wrong


def test_faults_of_the_platform_are_tried_again(workspace: Workspace, platform: Platform):
    platform.faults = [503, None, 500, 502, "cut", None]
    told = Told()
    Fetching(workspace, told=told).go()
    assert len(ids_kept(workspace)) == POSTS
    assert [n for *_, n in calls(workspace)] == [2, 4, 1, 1, 1]
    assert any("503" in stage for stage in told.stages)


def test_no_answer_in_time_is_tried_again(workspace: Workspace, platform: Platform, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "_TIMEOUT", 0.2)
    platform.hang_s, platform.faults = 0.4, ["hang"]
    Fetching(workspace).go()
    assert len(ids_kept(workspace)) == POSTS


def test_who_is_never_answered_is_told_so_and_goes_on_later(workspace: Workspace, platform: Platform):
    platform.faults = [None, *[503] * 7]
    begun = Fetching(workspace)
    with pytest.raises(client.UnreachableError, match="503, 7 times"):
        begun.go()
    Fetching(workspace, begun.driven.id).go()
    assert len(ids_kept(workspace)) == POSTS == platform.sent()


def test_the_limit_is_waited_for_as_the_platform_says_and_told(workspace: Workspace, platform: Platform):
    platform.calls_allowed, platform.window_s = 3, 1.0
    told = Told()
    Fetching(workspace, told=told).go()
    assert len(ids_kept(workspace)) == POSTS
    assert any("limit" in stage for stage in told.stages)


def test_what_cannot_be_shown_is_on_record_and_what_is_withheld_somewhere_is_kept(
    workspace: Workspace, platform: Platform
):
    platform.unavailable = {held(7).id}
    platform.hold([held(8, withheld_in=("DE", "FR"))])
    workspace.incremental.run(last=UNTIL - timedelta(1))
    (told,) = workspace.query("select raw from bronze_x_posts__undated").rows[0]
    assert held(7).id in str(told)
    (payload,) = workspace.query(f"select payload from bronze_x_posts where post_id = '{held(8).id}'").rows[0]
    assert '"country_codes":["DE","FR"]' in str(payload)


def test_an_answer_of_another_shape_is_not_taken(workspace: Workspace, platform: Platform):
    platform.faults = [None, "garbage"]
    begun = Fetching(workspace)
    with pytest.raises(TradexError, match="shape") as strange:
        begun.go()
    assert strange.value.code == "strange-answer"
    assert len(ids_kept(workspace)) == 50


@pytest.mark.parametrize("back", [1, 2])
def test_a_cursor_that_leads_back_ends_the_run_and_not_the_money_and_it_goes_on_later(
    workspace: Workspace, platform: Platform, monkeypatch: pytest.MonkeyPatch, back: int
):
    """Page 3 leads to itself, or to page 2."""
    page, given = client.XClient.page, list[str | None]()

    def leads_back(self: client.XClient, span: Span, cursor: str | None, *rest: Any) -> Page:
        given.append(cursor)
        assert len(given) < 20
        found = page(self, span, cursor, *rest)
        return found._replace(next=given[-back]) if len(given) == 3 else found

    monkeypatch.setattr(client.XClient, "page", leads_back)
    begun = Fetching(workspace)
    with pytest.raises(CursorRepeatedError, match="page 3"):
        begun.go()
    assert len(ids_kept(workspace)) == 100
    Fetching(workspace, begun.driven.id).go()
    assert sorted(ids_kept(workspace)) == sorted(held(n).id for n in range(POSTS))


def test_counts_that_lead_back_are_no_count(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    body = b'{"meta":{"total_post_count":3,"next_token":"again"}}'
    monkeypatch.setattr(client.XClient, "_call", lambda self, *asked: body)
    with client.opened("q", TOKEN, None) as asking, pytest.raises(TradexError, match="counted") as strange:
        asking.count(Span(day_of("2024-03-01"), day_of("2024-03-11")), Told())
    assert strange.value.code == "strange-answer"


def test_what_cannot_be_unpacked_is_tried_again_and_an_address_that_is_none_is_no_answer():
    def answers(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-encoding": "gzip"}, content=b"no gzip")

    with httpx2.Client(transport=httpx2.MockTransport(answers), base_url="http://x") as http, httpx2.Client() as bare:
        asking = client.XClient(http, bare, "q", pace=0.0)
        with pytest.raises(client.UnreachableError, match="unpacked"):
            asking.count(Span(day_of("2024-03-01"), day_of("2024-03-11")), Told())
        for address in ("http://[::1", "https://a..b/up"):
            with pytest.raises(TradexError, match="address") as strange:
                asking._carry("GET", address, None, Told())
            assert strange.value.code == "strange-answer"


def test_a_page_that_cannot_be_kept_ends_the_run_and_leaves_nothing_half(workspace: Workspace, platform: Platform):
    begun = Fetching(workspace)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(TradexError) as full:
        patch.setattr(Path, "replace", _no_room)
        begun.go()
    assert full.value.code == "page-not-kept"
    assert [path for path in (workspace.config.folder / "fetched").rglob("*") if path.is_file()] == []
    Fetching(workspace, begun.driven.id).go()
    assert len(ids_kept(workspace)) == POSTS


def _no_room(path: Path, target: Path) -> Path:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_question_that_the_platform_does_not_take_is_told_and_not_asked_again(
    workspace: Workspace, platform: Platform, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tradex_ledger.sources.x_api.place.PAGE_ROWS", (5, 5))
    with pytest.raises(client.QuestionError, match="max_results"):
        Fetching(workspace).go()
    assert platform.asked.total() == 1


def test_a_limit_is_waited_for_by_the_platforms_clock_and_an_hour_at_most():
    def waits(**headers: str) -> float:
        return client._until_reset(httpx2.Response(429, headers={n.replace("_", "-"): v for n, v in headers.items()}))

    date = "Fri, 01 Mar 2024 00:00:00 GMT"  # 1709251200
    assert waits(date=date, x_rate_limit_reset="1709251207") == 8  # whole seconds: the next one is safe
    assert waits(date=date, x_rate_limit_reset="1709251100") == 1
    assert waits(date=date, x_rate_limit_reset="1809251200") == 3_600
    assert waits(date=date, x_rate_limit_reset="inf") == 3_600
    for unclear in (
        {},
        {"date": date},
        {"date": "yesterday", "x_rate_limit_reset": "1"},
        {"date": date, "x_rate_limit_reset": "nan"},
    ):
        assert waits(**unclear) == 60


# -- who is let in


def test_without_the_extra_the_mend_is_told(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as missing:
        Fetching(workspace).go()
    assert missing.value.mend == "pip install 'tradex-ledger[x]'"


def test_without_a_token_nothing_is_asked(workspace: Workspace, platform: Platform):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(NoTokenError):
        patch.delenv("X_BEARER_TOKEN")
        Fetching(workspace).go()
    assert not platform.asked


@pytest.mark.parametrize("token", ["AAAA tök", "AAAA\nBBBB", "AAAA BBBB", "t\u00f6ken", "\udcff"])
def test_a_token_that_no_header_takes_is_told_before_anything_is_asked_and_never_shown(
    workspace: Workspace, platform: Platform, token: str
):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(OddTokenError) as odd:
        patch.setenv("X_BEARER_TOKEN", token)
        Fetching(workspace).go()
    assert token not in f"{odd.value!r} {odd.value.message}"
    assert not platform.asked


def test_a_wrong_token_is_told_and_never_shown(workspace: Workspace, platform: Platform):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(client.DeniedError) as denied:
        patch.setenv("X_BEARER_TOKEN", "wrong-and-secret")
        Fetching(workspace).go()
    assert "wrong-and-secret" not in f"{denied.value!r} {denied.value.message} {denied.value.__cause__!r}"
    assert platform.strangers == 1


def test_the_token_is_nowhere_but_in_the_environment(ran: tuple[Workspace, Platform]):
    for path in ran[0].config.folder.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path
    with client.opened("q", TOKEN, None) as asking:
        assert TOKEN not in f"{asking!r} {vars(asking)!r}"


def test_a_workspace_that_calls_begins_on_a_day(tmp_path: Path):
    with pytest.raises(NoBeginningError):
        Workspace.create(tmp_path / "ws", source="x-api:$AAPL")


# -- budgets


@pytest.mark.norm("N9")
@pytest.mark.parametrize(
    ("policy", "spent"),
    [
        ({"run_max_source_calls": 2}, Spent(100, 2, 500_000)),
        ({"run_max_source_cents": 31}, Spent(62, 2, 310_000)),
        ({"month_max_source_rows": 105}, Spent(100, 2, 500_000)),
    ],
)
def test_no_budget_is_ever_passed(tmp_path: Path, platform: Platform, policy: dict[str, int], spent: Spent):
    with x_platform.create(tmp_path / "ws", **policy) as workspace:
        begun = Fetching(workspace)
        with pytest.raises(BudgetSpentError):
            begun.go()
        assert begun.driven.run.spent == spent
        assert platform.sent() == spent.rows


def test_a_budget_ends_a_run_cleanly_and_a_larger_one_resumes_it(tmp_path: Path, platform: Platform):
    with x_platform.create(tmp_path / "ws", run_max_source_rows=120) as workspace:
        with pytest.raises(BudgetSpentError) as stopped:
            workspace.incremental.run(last=UNTIL - timedelta(1))
        assert "the same command goes on" in stopped.value.mend
        (row,) = workspace.query("select run_id, status, last_error from runs").rows
        assert row[1:] == ("FAILED", stopped.value.message)
        assert workspace.ledger.get(IncrementalRun, row[0]).spent == Spent(120, 3, 600_000)
    x_platform.set_policy(tmp_path / "ws", run_max_source_rows=0)
    with x_platform.reopen(tmp_path / "ws") as workspace:
        run = workspace.incremental.run(last=UNTIL - timedelta(1))
        assert (run.id, run.status, run.totals["rows"]) == (row[0], "SUCCESS", POSTS)
        assert platform.sent() == POSTS


# -- plans


@pytest.mark.norm("N9")
@pytest.mark.norm("N33")
def test_a_plan_is_estimated_by_a_count_that_is_paid_for_once(ran: tuple[Workspace, Platform]):
    workspace, platform = ran
    _, plan = workspace.backfills.plan(x_platform.outage(2, 4))
    made = workspace.backfills.request(x_platform.outage(2, 4))
    assert platform.asked["/2/tweets/counts/all"] == 1
    for one in (plan, made.plan):
        assert one is not None
        assert one.estimate.source_calls == Range(2, 2, 2)
    (cost,) = workspace.backfills.warnings(made)
    assert "72 posts of 2024-03-02 to 2024-03-04: about 2 calls and $0.36" in cost
    counted, spent = workspace.spending.months()
    assert (counted.run_id, counted.rows, counted.micros) == (None, 0, 10_000)
    assert (spent.rows, spent.calls, spent.micros) == (POSTS, 1, POSTS * 5_000)


def test_a_count_is_good_for_a_day(workspace: Workspace, platform: Platform):
    clock = workspace.core.clock
    assert isinstance(clock, small.Ticking)
    workspace.incremental.run(last=UNTIL - timedelta(1))
    for days, counts in ((0, 1), (0, 1), (1, 2)):
        clock.now += timedelta(days=days)
        workspace.backfills.plan(x_platform.outage(2, 4))
        assert platform.asked["/2/tweets/counts/all"] == counts


@pytest.mark.norm("N9")
def test_counts_are_within_the_budget_of_the_month_and_a_plan_beyond_that_of_a_run_says_so(
    tmp_path: Path, platform: Platform
):
    with x_platform.create(tmp_path / "ws", month_max_source_cents=121, run_max_source_cents=120) as workspace:
        workspace.incremental.run(last=UNTIL - timedelta(1))
        platform.hold([Held((x_platform.id_at(held(30).created_at, 77_777),), "late $TSLA", held(30).created_at)])
        made = workspace.backfills.request(x_platform.outage(1, 10))
        cost, beyond = workspace.backfills.warnings(made)
        assert "241 posts" in cost
        assert "more than the budget of a run, $1.20" in beyond
        with pytest.raises(BudgetSpentError, match="of 2024-04"):
            workspace.backfills.plan(x_platform.outage(3, 4))
        assert platform.asked["/2/tweets/counts/all"] == 1


def test_where_nothing_is_called_nobody_is_asked_what_was_used(tmp_path: Path):
    small.deliver(tmp_path / "posts", days=1)
    with small.create(tmp_path / "ws", f"files:{tmp_path / 'posts'}") as workspace, pytest.raises(NothingCalledError):
        workspace.spending.usage(7)


def test_what_the_platform_counts_beyond_the_record_is_told(ran: tuple[Workspace, Platform]):
    workspace, platform = ran
    today = f"{workspace.core.today()}"
    delivered = platform.delivered
    platform.delivered = defaultdict(Counter, {today: Counter(map(str, range(POSTS + 3)))})
    (used,) = workspace.spending.usage(7)
    platform.delivered = delivered
    assert used == (today, POSTS, POSTS + 3, 3)


def test_the_shell_tells_what_was_spent_and_a_dry_run_has_its_count_on_record(
    ran: tuple[Workspace, Platform], capsys: pytest.CaptureFixture[str]
):
    folder = str(ran[0].config.folder)
    asked = ("bronze_x_posts", "--from", "2024-03-06", "--to", "2024-03-07", "--no-override-state", "--dry-run")
    assert run(["-C", folder, "backfill", "request", "temporal", *asked, "--reason", "INC-4211, an outage"]) == 0
    assert "48 posts of 2024-03-06 to 2024-03-07" in capsys.readouterr().err
    assert run(["-C", folder, "spending"]) == 0
    told = capsys.readouterr()
    assert "$1.20" in told.out
    assert "no bound" in told.err
    assert run(["-C", folder, "spending", "--usage", "3"]) == 1  # a clock of 2024 has none of today's on record


def test_late_posts_come_with_a_backfill_and_what_was_there_is_not_doubled(workspace: Workspace, platform: Platform):
    workspace.incremental.run(last=UNTIL - timedelta(1))
    late = Held((x_platform.id_at(held(30).created_at, 77_777),), "late $TSLA", held(30).created_at, author_id="9")
    platform.hold([late])
    platform.edit(held(31).id, "edited $AAPL", edited := x_platform.id_at(held(31).created_at, 88_888))
    platform.delete(held(32).id)
    made = workspace.backfills.request(x_platform.outage(2, 4))
    workspace.backfills.approve(made.id)
    run = workspace.runs.drive(made.id)
    assert (run.status, run.totals["rows"], run.spent.rows) == ("SUCCESS", 2, 72)
    found = workspace.query(f"select text from bronze_x_posts where post_id = '{held(31).id}' order by revised_at").rows
    assert list(found) == [("post 31 on $AAPL",), ("edited $AAPL",)]
    assert int(edited) > int(held(31).id)
    (actual,) = workspace.query("select source_calls_likely, source_calls_actual from costs").rows
    assert actual == (2, 2)


# -- what it came to


def test_prices_are_those_of_the_settings(workspace: Workspace):
    settings = workspace.config.folder / FILE
    text = settings.read_text("utf-8").replace("[source]\n", "[source]\nrow_price = 0.01\ncount_price = 0\n")
    settings.write_text(text, "utf-8")
    begun = Fetching(workspace)
    begun.go()
    assert begun.driven.run.spent.micros == POSTS * 10_000
    settings.write_text(text.replace("count_price = 0\n", ""), "utf-8")
    with pytest.raises(ConfigError, match="both"):
        workspace.core.scope()
