"""The made-up deliveries: the same seed, the same bytes, and every fault that the product has to stand."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from datetime import date, timedelta
from pathlib import Path
from statistics import pstdev

import pytest

from tests.kit.delivered import batch, files_in
from tests.kit.posts import parse_post
from tradex_ledger.errors import UsageError
from tradex_ledger.pipelines.x.demo import posts as demo
from tradex_ledger.pipelines.x.demo.stream import Delivery, spikes
from tradex_ledger.sources.source import Rejected
from tradex_ledger.sources.stage import Outputs, Wanted, stage
from tradex_ledger.sources.x_posts.posts import Post

FIRST = date(2025, 12, 1)
CASHTAG = re.compile(r"\$([A-Z]{1,6})\b")
OUTAGE = (date(2025, 12, 10), date(2025, 12, 12))


@pytest.fixture(scope="module")
def month() -> list[Delivery]:
    return list(demo.generate(7, FIRST, 31, 300))


def read(deliveries: list[Delivery]) -> list[Post]:
    found = (parse_post(delivery.line) for delivery in deliveries)
    return [post for post in found if isinstance(post, Post)]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_same_seed_writes_the_same_files_and_another_seed_others(tmp_path: Path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        demo.write_month(tmp_path / name, seed, FIRST, 5, 40)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert not set(digests(tmp_path / "a").values()) & set(digests(tmp_path / "c").values())


def test_a_day_is_the_same_in_whatever_range_it_is_asked_for():
    def of_day(first: date, days: int) -> list[Delivery]:
        return [item for item in demo.generate(3, first, days, 50) if item.created_day == date(2025, 12, 4)]

    assert Counter(of_day(FIRST, 10)) == Counter(of_day(date(2025, 12, 4), 1))


def test_the_bytes_of_the_seed_never_change():
    lines = b"\n".join(delivery.line for delivery in demo.generate(1, FIRST, 3, 20))
    assert hashlib.sha256(lines).hexdigest() == "772b4b3c3018c8fddd92681f50fbe9063a8583f75c9b7de354483f7ddbbf35bb"


def test_each_fault_comes_about_as_often_as_it_should(month: list[Delivery]):
    kinds = Counter(delivery.kind for delivery in month)
    posts = kinds["post"] + kinds["spike"]
    assert 0.045 < kinds["duplicate"] / posts < 0.075
    assert 0.012 < kinds["edit"] / posts < 0.03
    assert 3 <= kinds["broken"] <= 25
    assert kinds["copy"] > 50
    late = sum(delivery.delivery_day > delivery.created_day for delivery in month)
    assert 0.02 < late / len(month) < 0.06
    assert all(0 <= (item.delivery_day - item.created_day).days <= 4 for item in month)


def test_only_broken_lines_are_rejected_and_both_formats_occur(month: list[Delivery]):
    for delivery in month:
        assert isinstance(parse_post(delivery.line), Rejected) == (delivery.kind == "broken"), delivery
    v1 = sum(b'"id_str"' in delivery.line for delivery in month)
    assert 0.3 < v1 / len(month) < 0.7


def test_ids_are_snowflakes_of_the_moment_of_creation(month: list[Delivery]):
    for post in read(month):
        assert ((int(post.post_id) >> 22) + 1_288_834_974_657) * 1000 == post.created_at


def test_a_post_and_its_edits_share_id_and_day_with_another_text(month: list[Delivery]):
    versions = defaultdict(set)
    for post in read(month):
        versions[post.post_id].add((post.event_date, post.created_at, post.revision, post.revised_at))
    edited = [found for found in versions.values() if len(found) > 1]
    assert len(edited) == sum(delivery.kind == "edit" for delivery in month)
    for found in edited:
        days, created, revisions, revised = (len(set(column)) for column in zip(*found, strict=True))
        assert (days, created, revisions, revised) == (1, 1, 2, 2)


def test_duplicates_are_exact(month: list[Delivery]):
    lines = Counter(item.line for item in month if item.kind != "broken")
    assert lines.total() - len(lines) == sum(delivery.kind == "duplicate" for delivery in month)


def test_weekends_are_quieter(month: list[Delivery]):
    created = Counter(delivery.created_day for delivery in month if delivery.kind == "post")
    assert created[date(2025, 12, 6)] < 0.6 * created[date(2025, 12, 5)]


@pytest.mark.parametrize("posts_per_day", [40, 300])
def test_the_days_of_a_wave_are_spikes_by_the_rule_of_the_signals(posts_per_day: int):
    mentions: Counter[tuple[str, date]] = Counter()
    for line, day in {(item.line, item.created_day) for item in demo.generate(7, FIRST, 31, posts_per_day)}:
        post = parse_post(line)
        if isinstance(post, Post):
            mentions.update((ticker, day) for ticker in set(CASHTAG.findall(post.text)))
    waves = [(ticker, FIRST + timedelta(n)) for n in range(31) for ticker in spikes(7, FIRST + timedelta(n))]
    assert len(waves) == 4
    for ticker, day in waves[::2]:
        before = [mentions[ticker, day - timedelta(n)] for n in range(1, 29)]
        deviation = max(pstdev(before), 1)
        assert (mentions[ticker, day] - sum(before) / 28) / deviation >= 3
        assert mentions[ticker, day] >= 5


def test_an_outage_holds_its_days_back_and_delivering_it_makes_the_folder_whole(tmp_path: Path):
    whole = demo.write_month(tmp_path / "whole", 7, FIRST, 20, 60)
    held = demo.write_month(tmp_path / "held", 7, FIRST, 20, 60, OUTAGE)
    missing = {f"2025-12-{day}.jsonl.gz" for day in (10, 11, 12)}
    assert set(digests(tmp_path / "whole")) - set(digests(tmp_path / "held")) == missing
    later = demo.deliver_days(tmp_path / "held", 7, FIRST, 20, 60, OUTAGE)
    assert {path.name for path in later.files} == missing
    assert digests(tmp_path / "whole") == digests(tmp_path / "held")
    assert held.lines + later.lines == whole.lines


def test_days_can_be_delivered_one_by_one(tmp_path: Path):
    demo.write_month(tmp_path / "whole", 7, FIRST, 5, 60)
    for offset in range(8):
        day = FIRST + timedelta(offset)
        demo.deliver_days(tmp_path / "steps", 7, FIRST, 5, 60, (day, day))
    assert digests(tmp_path / "whole") == digests(tmp_path / "steps")


def test_the_manifest_says_what_the_files_hold(tmp_path: Path):
    manifest = demo.write_month(tmp_path / "in", 7, FIRST, 31, 100)
    files = files_in(tmp_path / "in")
    out = Outputs(tmp_path / "posts", tmp_path / "rejected", tmp_path / "undated")
    counts = stage(batch(files), Wanted(None, None, None, 4_000_000_000_000_000), out)
    assert (counts.files, counts.lines) == (len(manifest.files), manifest.lines)
    assert counts.rejected == manifest.broken > 0
    assert counts.rows == manifest.posts + manifest.duplicates + manifest.edits
    assert len(manifest.spikes) == 4


def test_days_before_snowflakes_are_refused():
    with pytest.raises(UsageError, match="begin on 2010-11-05"):
        list(demo.generate(1, date(2010, 11, 1), 1, 1))
