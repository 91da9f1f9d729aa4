"""The outage of the real posts at home (a file, a folder, processes) and at large (PostgreSQL, S3, Dask, by Dagster).

Both end with the same content, and in Silver and Gold with the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.kit import s3
from tests.kit.dask_cluster import dask_cluster
from tests.kit.lake import BRONZE, DATASETS, OF_THE_RUN, Key, assert_same_rows, digests, partitions, read_dataset
from tests.kit.real import created_days, deliver
from tests.kit.stores import POSTGRES
from tradex_ledger.config import FILE
from tradex_ledger.domain.request import Request
from tradex_ledger.keyed import CACHE_HOME
from tradex_ledger.workspace import Workspace

pytest.importorskip("dagster", reason="Dagster is not installed: pip install 'tradex-ledger[dagster]'")

import dagster as dg

from tests.kit.dagster_location import Location

REASON = "X API outage, the files came later, INC-4211"


@dataclass(frozen=True, slots=True)
class Outage:
    """Days of real posts, which of them came late, and up to where the pipeline ran before they came."""

    first: date
    withheld: tuple[str, ...]
    cursors: tuple[date, ...]
    workers: tuple[str, ...] = ("one", "two")

    def files(self, real_posts: Path) -> tuple[list[str], list[str]]:
        """The names of the files that are delivered in time, and of those that are not."""
        named = sorted(path.name for path in real_posts.glob("*.jsonl.gz"))
        span = [name for name in named if self.first.isoformat() <= name[:10] < self.cursors[-1].isoformat()]
        late = [name for name in span if name[:10] in self.withheld]
        assert len(late) == len(self.withheld)
        return [name for name in span if name not in late], late


WHOLE = Outage(
    date(2014, 1, 1),
    tuple(f"2014-02-0{day}" for day in range(3, 9)),
    (date(2014, 1, 15), date(2014, 2, 5), date(2014, 2, 10), date(2014, 3, 1)),
)
QUICK = Outage(date(2014, 1, 6), ("2014-01-07",), (date(2014, 1, 9),), ("one",))


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace that is to go through an outage, and the folder that its posts are delivered to."""

    ws: Path
    posts: Path

    def open(self, actor: str = "ana") -> Workspace:
        return Workspace.open(self.ws, actor=actor)


@pytest.fixture(params=[pytest.param(QUICK, id="quick"), pytest.param(WHOLE, id="whole", marks=pytest.mark.soak)])
def outage(request: pytest.FixtureRequest) -> Outage:
    found = request.param
    assert isinstance(found, Outage)
    return found


@pytest.fixture
def home(tmp_path: Path, outage: Outage, real_posts: Path) -> Place:
    return _delivered(Place(tmp_path / "home", tmp_path / "home-posts"), outage, real_posts)


@pytest.fixture
def large(tmp_path: Path, outage: Outage, real_posts: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A workspace whose ledger, lake and workers are elsewhere; nothing is shared with these but the bucket."""
    s3.seaweed().use(monkeypatch)
    monkeypatch.setenv(CACHE_HOME, str(tmp_path / "cache"))
    place = _delivered(Place(tmp_path / "large", tmp_path / "large-posts"), outage, real_posts)
    with ExitStack() as stack:
        ledger = stack.enter_context(POSTGRES[0].fresh(tmp_path))
        cluster = stack.enter_context(dask_cluster(tmp_path / "cluster", workers=0))
        for name in outage.workers:
            cluster.start_worker({CACHE_HOME: str(tmp_path / name)})
        _create(place, ledger=ledger, lake=s3.fresh_url())
        settings = (place.ws / FILE).read_text()
        assert '# pool = "processes"' in settings
        (place.ws / FILE).write_text(settings.replace('# pool = "processes"', f'pool = "{cluster.pool}"'))
        yield place


def _delivered(place: Place, outage: Outage, real_posts: Path) -> Place:
    place.posts.mkdir()
    deliver(real_posts, place.posts, outage.files(real_posts)[0])
    return place


def _create(place: Place, ledger: str = "sqlite:///ledger.db", lake: str = "lake") -> None:
    Workspace.create(place.ws, source=f"files:{place.posts}", ledger=ledger, lake=lake, actor="ana").close()


def _late(place: Place, outage: Outage, real_posts: Path) -> tuple[date, date]:
    """Deliver what was withheld; returns the first and the last day of its posts."""
    late = outage.files(real_posts)[1]
    deliver(real_posts, place.posts, late)
    days = created_days([real_posts / name for name in late])
    return days[0], days[-1]


def tell_at_home(place: Place, outage: Outage, real_posts: Path) -> None:
    """By hand, and by the processes of this machine."""
    _create(place)
    with place.open() as workspace:
        for until in outage.cursors:
            workspace.incremental.run(last=until - timedelta(1))
        first, last = _late(place, outage, real_posts)
        asked = Request(
            kind="temporal", dataset=BRONZE, first=first, last=last, override_state=False, reason=REASON
        )  # fmt: skip
        backfill = workspace.backfills.request(asked)
        workspace.backfills.approve(backfill.id)
        assert workspace.runs.drive(backfill.id).status == "SUCCESS"


def tell_at_large(place: Place, outage: Outage, real_posts: Path) -> None:
    """By Dagster: incremental runs by their job, the backfill launched on its page, approved, driven by the sensor."""
    with dg.DagsterInstance.ephemeral() as instance:
        location = Location(place.ws, instance)
        for until in outage.cursors:
            to = {"ops": {"take_on": {"config": {"to": (until - timedelta(1)).isoformat()}}}}
            assert location.launch("incremental", run_config=to).success
        first, last = _late(place, outage, real_posts)
        location = Location(place.ws, instance)  # loaded anew: its days end where the ledger ends
        asked = location.launch(f"backfill_{BRONZE}", first, last, tags={"tradex/reason": REASON})
        assert not asked.success
        with place.open() as workspace:
            (waiting,) = workspace.audit.look.runs(kind="backfill")
            assert waiting.run.status == "PLANNED"
            workspace.backfills.approve(waiting.id)
        (request,) = location.tick("approved_backfills").run_requests
        assert location.drive(request).success


@pytest.mark.norm("N28")
@pytest.mark.norm("N39")
def test_the_outage_ends_with_the_same_content_at_home_and_at_large(
    home: Place, large: Place, outage: Outage, real_posts: Path
):
    tell_at_home(home, outage, real_posts)
    tell_at_large(large, outage, real_posts)
    with home.open() as one, large.open() as other:
        where = [(w.ledger.engine.dialect.name, w.core.lake.name.partition(":")[0]) for w in (one, other)]
        assert where == [("sqlite", str(home.ws / "lake")), ("postgresql", "s3")]
        found = digests(one)
        assert {key[0] for key in found} >= set(DATASETS)
        assert digests(other) == found
        assert built(other) == built(one)
        for name in DATASETS:
            without = OF_THE_RUN if name == BRONZE else ()
            rows = read_dataset(one, name, without=without)
            assert rows
            assert_same_rows(read_dataset(other, name, without=without), rows)
        print(f"{len(found)} partitions, {sum(rows for rows, _ in found.values())} rows, {len(built(one))} same bytes")


def built(workspace: Workspace) -> dict[Key, list[str]]:
    """The digests of the files of Silver and Gold: of their bytes, which name no run."""
    return {
        (p["dataset"], p["logic_version"], p["partition"]): [file["sha256"] for file in p["files"]]
        for p in partitions(workspace)
        if p["layer"] != "bronze"
    }
