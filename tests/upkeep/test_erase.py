"""Rows that law wants erased leave every file: by two persons that the policy names, whenever a process dies (N6)."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests import worlds
from tests.kit import s3, small
from tests.kit.check import check_everything
from tests.kit.faults import Crash, Faults, FaultyLake, FaultyLedger
from tests.kit.lake import events, grow_old, projection
from tests.kit.lake_folder import root_of
from tradex_ledger.audit.documents.lake import ErasureDocument
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE, ConfigError, load_config
from tradex_ledger.domain.dataset_errors import ProtectedError
from tradex_ledger.domain.erasures import ErasureRefusedError
from tradex_ledger.domain.policy import NotAllowedError
from tradex_ledger.domain.request import TicketError
from tradex_ledger.errors import RefusedError
from tradex_ledger.keyed import CACHE_HOME
from tradex_ledger.lake.rewritten import Held
from tradex_ledger.ledger.application import WriterConflictError
from tradex_ledger.upkeep import erase
from tradex_ledger.upkeep.erase import NoSuchRowsError, RunUnderWayError
from tradex_ledger.upkeep.gc import find_unreferenced
from tradex_ledger.workspace import Workspace

BRONZE, SILVER = "bronze_x_posts", "silver_social_events"
WHY: dict[str, Any] = {"reason": "its author asked for erasure, by article 17", "ticket": "LEGAL-17"}
BOTH = ["ana", "maria"]
TEXTS = f"select count(*) from {BRONZE} where contains(payload, ?)"


@pytest.fixture
def ws(tmp_path: Path) -> Path:
    """A week of posts, run; two persons may erase."""
    return worlds.copied(tmp_path, thin=True, may_erase=BOTH)


def posts(workspace: Workspace, day: int = 3) -> list[str]:
    """The posts of a day that Silver has, too."""
    sql = f"select distinct post_id from {SILVER} where event_date = '{small.day(day)}' order by 1"
    return [str(post) for (post,) in workspace.query(sql).rows]


def planned(ws: Path, *keys: str, actor: str = "ana") -> ErasureDocument:
    with small.reopen(ws, actor) as workspace:
        return workspace.lake.plan_erasure(BRONZE, keys, **WHY)


def erased(ws: Path, *keys: str) -> ErasureDocument:
    """By two persons."""
    digest = planned(ws, *keys).digest
    assert digest is not None
    with small.reopen(ws, "maria") as workspace:
        return workspace.lake.erase(BRONZE, digest)


def count(workspace: Workspace, dataset: str, post: str, as_of: str | None = None) -> int:
    return int(workspace.query(f"select count(*) from {dataset} where post_id = '{post}'", as_of=as_of).rows[0][0])


def held_in_lake(ws: Path, post: str) -> list[Path]:
    """The files of the lake in which the id of a post can be read, current or not."""
    found = []
    for path in (ws / "lake").rglob("*.parquet"):
        rows = pq.read_table(path, partitioning=None).to_pylist()
        if any(post in str(value) for row in rows for value in row.values()):
            found.append(path)
    return found


@pytest.mark.norm("N6")
@pytest.mark.norm("N4")
def test_an_erased_post_is_in_no_file_any_more_and_who_asks_for_before_is_told_by_whom_and_why(ws: Path):
    with small.reopen(ws) as workspace:
        post, kept = posts(workspace)[:2]
        before = str(workspace.ledger.position())
        rows = workspace.query(f"select * exclude (run_id) from {BRONZE} where post_id <> '{post}' order by all").rows
        old = {row["path"] for row in projection(workspace, "lake_files")}
    done = erased(ws, post)
    assert (done.status, done.left) == ("ended", [])
    assert held_in_lake(ws, post) == []
    with small.reopen(ws) as workspace:
        assert (count(workspace, BRONZE, post), count(workspace, SILVER, post)) == (0, 0)
        assert workspace.query(f"select * exclude (run_id) from {BRONZE} order by all").rows == rows
        then = workspace.query(f"select count(*) from {SILVER} where post_id = '{kept}'", as_of=before)
        assert then.rows[0][0] > 0
        (warning,) = then.warnings
        assert "erased by the event of position" in warning
        assert "(ana, approved by maria; LEGAL-17: its author asked for erasure, by article 17)" in warning
        assert count(workspace, BRONZE, post, before) == 0
        found = {row["path"]: row for row in projection(workspace, "lake_files")}
        gone = {path for path, row in found.items() if row["erased_position"]}
        assert done.plan is not None
        assert gone == done.plan.paths
        assert gone < old
        assert all(found[path]["pruned_position"] == found[path]["erased_position"] for path in gone)
        assert workspace.lake.losses().wrong == []
        assert find_unreferenced(workspace.ledger, workspace.core.lake) == []
        check_everything(workspace)


def test_who_verifies_is_told_of_erased_files_and_holds_what_stands_for_them_against_the_record(
    ws: Path, capsys: pytest.CaptureFixture[str]
):
    with small.reopen(ws) as workspace:
        post = posts(workspace)[0]
    done = erased(ws, post)
    assert done.plan is not None
    verify = ["-C", str(ws), "audit", "verify"]
    assert run(verify) == 0, capsys.readouterr().out
    assert "(2 given up, 2 of them erased)" in capsys.readouterr().out
    with small.reopen(ws) as workspace:
        (made, *_) = [row["replaced_by"]["path"] for row in projection(workspace, "erased_files")]
    (ws / "lake" / made).write_bytes(b"another file")
    assert run(verify) == 1
    assert made in capsys.readouterr().out


def test_what_is_on_record_names_the_post_by_a_digest_and_nothing_of_its_text(ws: Path):
    with small.reopen(ws) as workspace:
        post = posts(workspace)[0]
        text = workspace.query(f"select text from {BRONZE} where post_id = '{post}'").rows[0][0]
        before = workspace.ledger.position()
    erased(ws, post)
    with small.reopen(ws) as workspace:
        told = events(workspace, f"position > {before}")
        assert [event["topic"] for event in told] == [
            "dataset.erasure_planned", "dataset.erasure_approved", *["dataset.files_erased"] * 4,
            "dataset.erasure_ended",
        ]  # fmt: skip
        for event in told:
            assert post not in event["data"]
            assert text not in event["data"]


@pytest.mark.norm("N7")
@pytest.mark.norm("N39")
def test_what_was_built_upon_it_is_stale_and_the_next_backfill_gives_what_never_had_the_post(tmp_path: Path):
    ws = worlds.copied(tmp_path, may_erase=BOTH)
    with small.reopen(ws) as workspace:
        post = posts(workspace)[0]
    erased(ws, post)
    never = tmp_path / "never"
    never.mkdir()
    worlds.copied(never, until=None)
    _take_away(never / "posts", post)
    with small.reopen(ws) as workspace, small.reopen(never / "ws") as other:
        stale = {(row["dataset"], row["reason"]) for row in projection(workspace, "stale_partitions")}
        assert stale == {(SILVER, "input changed"), ("gold_metrics", "input changed")}
        small.backfill(workspace, 3, 3)  # what was delivered has the post still
        assert count(workspace, BRONZE, post) == 0
        assert projection(workspace, "stale_partitions") == []
        other.incremental.run(last=small.day(7))
        for name in (SILVER, "gold_metrics", "gold_baselines", "gold_signals"):
            sql = f"select * from {name} order by all"
            assert workspace.query(sql).rows == other.query(sql).rows, name
        check_everything(workspace)


def _take_away(folder: Path, post: str) -> None:
    for path in folder.glob("*.jsonl.gz"):
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        path.write_bytes(gzip.compress(b"".join(line for line in lines if post.encode() not in line)))


@pytest.mark.norm("N23")
@pytest.mark.norm("N37")
def test_what_was_erased_does_not_come_in_again_however_it_is_delivered(ws: Path):
    with small.reopen(ws) as workspace:
        post = posts(workspace)[0]
        payload = json.loads(workspace.query(f"select payload from {BRONZE} where post_id = '{post}'").rows[0][0])
    erased(ws, post)
    posts_of = ws.parent / "posts"
    edited = {**payload, "text": "edited $TSLA"}
    broken = {**payload, "created_at": "yesterday"}
    lines = "".join(json.dumps(one) + "\n" for one in (payload, edited, broken))
    (posts_of / "2024-01-09-again.jsonl").write_text(lines + small.LATE, encoding="utf-8")
    with small.reopen(ws) as workspace:
        small.backfill(workspace, 1, 7)
        assert count(workspace, BRONZE, post) == 0
        for side in ("rejected", "undated"):
            found = workspace.query(f"select count(*) from {BRONZE}__{side} where contains(raw, '{post}')")
            assert found.rows[0][0] == 0
        assert count(workspace, BRONZE, "1741941000000000001") == 1
    assert held_in_lake(ws, post) == []


@pytest.mark.norm("N6")
def test_rejected_lines_and_files_of_every_version_are_written_anew(tmp_path: Path):
    ws = worlds.copied(tmp_path, until=None, may_erase=BOTH, pipeline=True)
    post = "1741941000000000001"
    (tmp_path / "posts" / "2024-01-03-late.jsonl").write_text(
        small.LATE + small.LATE.strip().removesuffix("}") + "\n", encoding="utf-8"
    )
    with small.reopen(ws) as workspace:
        workspace.incremental.run(last=small.day(4))
        small.edit(workspace, SILVER, "lexicon[word], 0)", "lexicon[word], 0) + 1")
        workspace.datasets.bump(SILVER, reason="the weights are counted twice, INC-4300")
        small.backfill(workspace, 3, 3, kind="logical", dataset=SILVER)
        history = projection(workspace, "partition_history")
        assert len([r for r in history if r["dataset"] == SILVER and r["partition"] == small.day(3)]) == 2
    assert len(held_in_lake(ws, post)) == 4
    done = erased(ws, post)
    assert done.plan is not None
    assert sorted(one.dataset for one in done.plan.files) == [BRONZE, f"{BRONZE}__rejected", SILVER, SILVER]
    assert held_in_lake(ws, post) == []
    with small.reopen(ws) as workspace:
        check_everything(workspace)
        digest, files = workspace.lake.plan_prune(SILVER, reason="superseded by the new weights, INC-4300")
        assert {listed.file.path for listed in files}.isdisjoint(done.plan.paths)
        assert len(files) == 1, "what stands for a superseded file can be given up"
    with small.reopen(ws, "maria") as maria:
        maria.lake.prune(SILVER, digest)
        check_everything(maria)


@pytest.mark.norm("N19")
def test_what_a_reversal_brings_back_is_without_the_post_too(ws: Path):
    (ws.parent / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    with small.reopen(ws) as workspace:
        post = posts(workspace)[0]
        run_id = small.backfill(workspace, 3, 3).id
    erased(ws, post)
    with small.reopen(ws) as workspace:
        workspace.backfills.revert(run_id, reason="the vendor took its delivery back, INC-4212")
        assert count(workspace, SILVER, post) == 0
        assert count(workspace, SILVER, posts(workspace)[0]) > 0
        check_everything(workspace)


# -- attacks


def test_nobody_may_unless_the_policy_names_persons(tmp_path: Path):
    ws = worlds.copied(tmp_path)
    with small.reopen(ws) as workspace:
        post = posts(workspace)[0]
        assert workspace.core.policy.may_erase == ()
        before = workspace.ledger.position()
        with pytest.raises(NotAllowedError, match="allows it to nobody"):
            workspace.lake.plan_erasure(BRONZE, [post], **WHY)
        with pytest.raises(NotAllowedError):
            workspace.lake.erase(BRONZE, "0" * 64)
        assert workspace.ledger.position() == before
    small.propose_policy(ws, may_erase=["*"])
    with pytest.raises(ConfigError, match="may_erase") as caught:
        small.reopen(ws)
    assert "name the persons" in caught.value.mend


def test_one_person_alone_erases_nothing_in_any_spelling(ws: Path):
    with small.reopen(ws) as workspace:
        post = posts(workspace)[0]
    digest = planned(ws, post).digest
    assert digest is not None
    for actor, error in (("ana", ErasureRefusedError), (" Ana ", ErasureRefusedError), ("eve", NotAllowedError)):
        with small.reopen(ws, actor.strip() if actor == "eve" else actor) as workspace, pytest.raises(error):
            workspace.lake.erase(BRONZE, digest)
    with small.reopen(ws) as workspace:
        assert count(workspace, BRONZE, post) == 1
    settings = ws / FILE
    settings.write_text(settings.read_text().replace('["ana", "maria"]', '["eve", "maria"]'))
    with small.reopen(ws) as workspace:
        workspace.policy.set(reason="ana has left the desk, INC-4301")  # who planned it may not any more
    with small.reopen(ws, "maria") as workspace, pytest.raises(NotAllowedError, match="ana may not erase"):
        workspace.lake.erase(BRONZE, digest)


def test_an_approval_is_for_that_very_plan_and_for_the_files_of_then(ws: Path):
    with small.reopen(ws) as workspace:
        one, other = posts(workspace)[:2]
    first, second = planned(ws, one).digest, planned(ws, other).digest
    assert first is not None and second is not None
    with small.reopen(ws, "maria") as maria:
        for digest in (first, "0" * 64, second[:4]):
            with pytest.raises(RefusedError):
                maria.lake.erase(BRONZE, digest)
    with small.reopen(ws) as workspace:
        (ws.parent / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
        small.backfill(workspace, 3, 3)  # Silver of that day is another file by now
    with small.reopen(ws, "maria") as maria, pytest.raises(ErasureRefusedError, match="other files") as caught:
        maria.lake.erase(BRONZE, second)
    assert "plan anew" in caught.value.mend
    assert erased(ws, other).status == "ended"


def test_what_is_held_or_not_there_or_of_no_source_is_refused(ws: Path):
    with small.reopen(ws) as workspace:
        post = posts(workspace)[0]
        with pytest.raises(NoSuchRowsError):
            workspace.lake.plan_erasure(BRONZE, ["17"], **WHY)
        with pytest.raises(ErasureRefusedError, match="not filled from a source"):
            workspace.lake.plan_erasure(SILVER, [post], **WHY)
        with pytest.raises(TicketError):
            workspace.lake.plan_erasure(BRONZE, [post], reason=WHY["reason"], ticket="-")
        workspace.datasets.protect(BRONZE, small.day(3), small.day(3), reason="a legal hold, LEGAL-3")
        with pytest.raises(ProtectedError):
            workspace.lake.plan_erasure(BRONZE, [post], **WHY)


def test_a_run_that_has_built_such_files_has_to_end_first(ws: Path):
    def die(stage: str, done: int, total: int) -> None:
        if stage == "gold_metrics":
            raise Crash

    with small.reopen(ws) as workspace:
        post = posts(workspace)[0]
        (ws.parent / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
        run_id = small.request(workspace, 3, 3)
        workspace.backfills.approve(run_id)
        with pytest.raises(Crash):
            workspace.runs.drive(run_id, progress=die)
    with small.reopen(ws) as workspace:
        with pytest.raises(RunUnderWayError, match=run_id):
            workspace.lake.plan_erasure(BRONZE, [post], **WHY)
        workspace.runs.drive(run_id)
    assert erased(ws, post).left == []
    assert held_in_lake(ws, post) == []


def test_who_publishes_meanwhile_is_first_and_nothing_of_the_erasure_is_left(ws: Path, monkeypatch: pytest.MonkeyPatch):
    (ws.parent / "posts" / "2024-01-09-late.jsonl").write_text(small.LATE, encoding="utf-8")
    with small.reopen(ws) as workspace:
        post = posts(workspace)[0]
    digest = planned(ws, post).digest
    assert digest is not None
    real = erase._write

    def write(*given: Any) -> Any:
        placed = real(*given)
        with small.reopen(ws) as other:
            small.backfill(other, 3, 3)
        return placed

    with small.reopen(ws, "maria") as maria, monkeypatch.context() as patch:
        patch.setattr(erase, "_write", write)
        with pytest.raises(WriterConflictError):
            maria.lake.erase(BRONZE, digest)
    with small.reopen(ws) as workspace:
        assert count(workspace, BRONZE, post) == count(workspace, BRONZE, "1741941000000000001") == 1
        assert find_unreferenced(workspace.ledger, workspace.core.lake) == []
        check_everything(workspace)
    assert erased(ws, post).status == "ended"
    assert held_in_lake(ws, post) == []


def test_what_was_written_meanwhile_with_such_rows_is_told_and_on_record(
    ws: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    with small.reopen(ws) as workspace:
        post = posts(workspace)[0]
    digest = planned(ws, post).digest
    assert digest is not None
    found: list[list[Held]] = []

    def find(*given: Any) -> list[Held]:
        found.append(real(*given))
        return found[0]  # as if a run that was under way had placed it after the save

    real = erase._find
    monkeypatch.setattr(erase, "_find", find)
    assert run(["-C", str(ws), "--as", "maria", "lake", "erase", BRONZE, "--approve", digest]) == 1
    assert "was written meanwhile, and holds 1 of them: plan anew" in capsys.readouterr().err
    with small.reopen(ws) as workspace:
        (ended,) = events(workspace, "topic = 'dataset.erasure_ended'")
        assert json.loads(ended["data"])["left"] == 2
        assert workspace.lake.waiting_erasure(BRONZE).status == "none"


# -- crashes


@dataclass(frozen=True)
class Removing(FaultyLake):
    """One whose removals are durable steps, too."""

    def remove(self, path: str, version: str | None = None) -> None:
        self.faults.step("remove", path.partition("/")[0], lambda: super(Removing, self).remove(path, version))


def opened(ws: Path, faults: Faults) -> Workspace:
    config = load_config(ws / FILE)
    ledger, lake = FaultyLedger(config.ledger_url, faults), Removing(Path(config.lake), faults=faults)
    return Workspace(config, actor="maria", clock=small.Ticking(), ledger=ledger, lake=lake)


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_it_is_done_wholly_by_who_goes_on_whenever_a_process_dies(tmp_path: Path, whole: bool):
    first = worlds.copied(tmp_path / "made", days=3, until=4, thin=True, may_erase=BOTH)
    with small.reopen(first) as workspace:
        post = posts(workspace)[0]
    digest = planned(first, post).digest
    assert digest is not None
    counted = Faults()
    with opened(small.copied(first.parent, tmp_path / "counted"), counted) as counting:
        counting.lake.erase(BRONZE, digest)
    steps = list(counted.steps)
    methods = [step.method for step in steps]
    assert methods.count("remove") == 2
    assert methods.index("append") < methods.index("lay") < methods.index("remove"), "the event comes first"
    for at, persisted in chosen([step.method for step in steps], whole=whole):
        ws = small.copied(first.parent, tmp_path / f"{at}-{persisted}")
        faults = Faults(at, persisted=persisted)
        with pytest.raises(Crash), opened(ws, faults) as dying:
            dying.lake.erase(BRONZE, digest)
        check_and_go_on(ws, post, digest, steps[at - 1].method)


def chosen(methods: list[str], *, whole: bool) -> list[tuple[int, bool]]:
    """Steps (from 1) to die at, and whether right before them or right after: all, or the save and the removals."""
    if whole:
        return [(at, persisted) for at in range(1, len(methods) + 1) for persisted in (False, True)]
    save, removal = methods.index("append") + 1, methods.index("remove") + 1
    return [(save, False), (save, True), (removal, True), (len(methods), False)]


def check_and_go_on(ws: Path, post: str, digest: str, died_at: str) -> None:
    """Readers see all of it or nothing; the same command does the rest, and leaves nothing that no event names."""
    with small.reopen(ws, "maria") as maria:
        seen = {count(maria, BRONZE, post), count(maria, SILVER, post) > 0}
        assert seen in ({0}, {1}), died_at
        if maria.lake.waiting_erasure(BRONZE).status != "none":
            assert maria.lake.erase(BRONZE, digest).status == "ended"
        assert count(maria, BRONZE, post) == count(maria, SILVER, post) == 0
        told = [event["topic"] for event in events(maria, "topic like 'dataset.%eras%'")]
        assert told.count("dataset.erasure_ended") == 1
        grow_old(root_of(maria))
        maria.lake.gc(reason="left by the crash of an erasure, INC-4310")
        assert find_unreferenced(maria.ledger, maria.core.lake) == []
        check_everything(maria)
    assert held_in_lake(ws, post) == []


# -- as users do it


def test_by_hand_over_s3_with_what_is_yours_to_remove_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    s3.moto().use(monkeypatch)
    monkeypatch.setenv(CACHE_HOME, str(tmp_path / "cache"))
    small.deliver(tmp_path / "posts", days=3)
    ws, url = tmp_path / "ws", s3.fresh_url()

    def tradex(*words: str, actor: str = "ana", status: int = 0) -> str:
        assert run(["-C", str(ws), "--as", actor, *words]) == status, capsys.readouterr().err
        captured = capsys.readouterr()
        return captured.out + captured.err

    assert run(["init", str(ws), "--lake", url, "--source", f"files:{tmp_path / 'posts'}", "--as", "ana"]) == 0
    small.set_policy(ws, may_erase=BOTH)
    tradex("run", "--to", "2024-01-03")
    post = tradex("query", f"select min(post_id) from {SILVER}").splitlines()[1]
    words = ("lake", "erase", BRONZE)
    assert "no erasure waits" in tradex(*words)
    tradex(*words, post, status=2)
    said = tradex(*words, post, "99", "--reason", WHY["reason"], "--ticket", WHY["ticket"])
    assert "no row has the key 99" in said
    assert "yours to remove: files:2024-01-0" in said
    digest = re.findall(r"[0-9a-f]{64}", tradex(*words))[-1]
    assert digest in tradex(*words, actor="maria")
    assert "cannot approve it" in tradex(*words, "--approve", digest, status=3)
    assert "ended" in tradex(*words, "--approve", digest[:12], actor="maria")
    assert "dataset.erasure_ended" in tradex("audit", "log", "--topic", "dataset.erasure_ended")
    cached = list((tmp_path / "cache").rglob("*.parquet"))
    assert cached
    tables = [pq.read_table(path, partitioning=None) for path in cached]
    told = [table["post_id"].to_pylist() for table in tables if "post_id" in table.column_names]
    assert told
    assert not any(post in keys for keys in told), "this machine's copies are gone, too"
    tradex("lake", "lost")
