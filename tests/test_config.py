"""The settings file: what is off is named, never guessed at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tradex_ledger.config import MOST, ConfigError, load_config
from tradex_ledger.domain.policy import Policy, settings
from tradex_ledger.fresh import write_config

WRONG: dict[type, list[Any]] = {
    tuple: ["ana", 3, True, [3], [""], [["ana"]]],
    int: [-1, "3", True, 1.5, [3]],
    bool: [0, 1, "true", []],
    str: [3, True, ["13:30-20:00"]],
}
SETTINGS = {name: type(getattr(Policy(), name)) for name in settings()}


def load(folder: Path, **policy: Any) -> Any:
    """The settings of a fresh workspace, with these under [policy]."""
    file = folder / "tradex.toml"
    write_config(file, ledger="sqlite:///ledger.db", lake="lake", source="files:posts")
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in policy.items())
    text = file.read_text(encoding="utf-8")
    before, heading, after = text.partition("[policy]")
    file.write_text(f"{before}{heading}\n{lines}#{after}", encoding="utf-8")
    return load_config(file)


def refused(folder: Path, *names: str, **policy: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        load(folder, **policy)
    assert all(name in caught.value.message for name in (*names, *policy))
    assert "tradex.toml" in caught.value.message


def test_fresh_settings_are_the_defaults(tmp_path: Path):
    assert load(tmp_path).policy == Policy()


@pytest.mark.norm("N32")
@pytest.mark.parametrize(("name", "value"), [(n, v) for n, kind in SETTINGS.items() for v in WRONG[kind]])
def test_a_setting_of_a_wrong_kind_is_named(tmp_path: Path, name: str, value: Any):
    refused(tmp_path, **{name: value})


@pytest.mark.norm("N32")
@pytest.mark.parametrize("name", [name for name, kind in SETTINGS.items() if kind is int])
def test_every_bound_can_be_set(tmp_path: Path, name: str):
    assert getattr(load(tmp_path, **{name: 7}).policy, name) == 7
    if name in ("window_partitions", "batch_mb"):
        refused(tmp_path, **{name: 0})
    else:
        assert getattr(load(tmp_path, **{name: 0}).policy, name) == 0


@pytest.mark.norm("N13")
def test_the_fresh_settings_show_every_setting(tmp_path: Path):
    load(tmp_path)
    shown = (tmp_path / "tradex.toml").read_text(encoding="utf-8")
    assert [name for name in SETTINGS if f"# {name} = " not in shown] == []


@pytest.mark.norm("N37")
def test_a_setting_that_nobody_knows_is_named(tmp_path: Path):
    refused(tmp_path, "nobody knows", dedup=False)


@pytest.mark.norm("N13")
def test_forced_always_needs_an_approval(tmp_path: Path):
    for kinds in ([], ["temporal", "dataset", "logical"]):
        refused(tmp_path, "forced", needs_approval=kinds)
    assert load(tmp_path, needs_approval=["forced"]).policy.needs_approval == ("forced",)


def test_a_kind_that_is_none_is_named(tmp_path: Path):
    refused(tmp_path, "weekly", needs_approval=["forced", "weekly"])


@pytest.mark.norm("N32")
@pytest.mark.parametrize("name", [name for name, kind in SETTINGS.items() if kind is int])
def test_every_bound_is_bounded(tmp_path: Path, name: str):
    for value in (9_223_372_036_854_775_808, MOST[name] + 1):
        refused(tmp_path, str(value), str(MOST[name]), **{name: value})
    assert getattr(load(tmp_path, **{name: MOST[name]}).policy, name) == MOST[name]


@pytest.mark.norm("N13")
@pytest.mark.parametrize("action", ["request", "approve", "force", "revert", "prune"])
def test_a_right_is_somebodys_and_not_anybodys_and_somebodys(tmp_path: Path, action: str):
    refused(tmp_path, "nobody could ever", **{f"may_{action}": []})
    refused(tmp_path, "ana", "anybody", **{f"may_{action}": ["*", "ana"]})


def edited(folder: Path, old: str, new: str | bytes) -> str:
    """What is said of a fresh file in which something stands instead of something else."""
    load(folder)
    file = folder / "tradex.toml"
    whole = file.read_bytes()
    assert old.encode() in whole
    file.write_bytes(whole.replace(old.encode(), new if isinstance(new, bytes) else new.encode(), 1))
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    assert caught.value.mend
    return caught.value.message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("# pipeline", "pipeline = 5 #", "pipeline must be a text, not 5"),
        ("# pipeline", 'pipeline = "" #', "pipeline must be a text, not ''"),
        ('lake = "lake"', 'lake = "la\\u0000ke"', "lake must be a text"),
        ("# workers = 2", "workers = 9223372036854775808 #", "not 9223372036854775808"),
        ("# task_memory_mb", "task_memory_mb = 0 #", "from 1 to"),
        ("# expire_days", f"expire_days = 0x{'f' * 5000} #", "thousands of digits"),
        ("# expire_days", f"expire_days = {'9' * 5000} #", "it is not TOML"),
        ("[source]", b"# \xff\n[source]", "it is not UTF-8"),
        ("[source]", "[source", "it is not TOML"),
        ("# may_request", 'may_approve = [" "] #', "may_approve"),
        ("# peak_time_zone", 'peak_time_zone = "America" #', "is no time zone"),
        ("# pool", 'pool = "ray:auto" #', "[compute] pool is no pool: 'ray:auto'"),
        ("# pool", 'pool = "dask:tcp://scheduler" #', "is no pool"),
        ("# pool", "pool = 2 #", "pool must be a text, not 2"),
    ],
)
def test_what_is_off_is_a_problem_of_the_settings(tmp_path: Path, old: str, new: str | bytes, said: str):
    assert said in edited(tmp_path, old, new)


@pytest.mark.norm("N35")
def test_the_urls_of_receivers_are_not_told(tmp_path: Path):
    said = edited(tmp_path, "[alerts]\n", '[alerts]\nurls = ["json://token-4711", "token-4712"]\n')
    assert ("number 2" in said, "471" in said) == (True, False)


@pytest.mark.norm("N38")
@pytest.mark.parametrize(
    ("hours", "mend"),
    [
        ("00:00-24:00", "00:00-23:59"),
        ("13:30-24:00", "13:30-00:00"),
        ("13:30-13:30", "00:00-23:59"),
        ("13:30-20:00+02:00", "peak_time_zone"),
    ],
)
def test_hours_that_cannot_be_meant_are_told_how_to_write_them(tmp_path: Path, hours: str, mend: str):
    with pytest.raises(ConfigError, match="peak_hours") as caught:
        load(tmp_path, peak_hours=hours)
    assert mend in caught.value.mend


@pytest.mark.norm("N38")
@pytest.mark.parametrize("hours", ["13:30", "13:30-", "25:00-26:00", "noon-night", "13:30–20:00"])
def test_peak_hours_have_a_form(tmp_path: Path, hours: str):
    refused(tmp_path, "13:30-20:00", peak_hours=hours)


@pytest.mark.norm("N38")
@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/localtime"])
def test_a_time_zone_is_one_that_there_is(tmp_path: Path, zone: str):
    refused(tmp_path, "is no time zone", peak_time_zone=zone)


@pytest.mark.norm("N38")
def test_peak_hours_have_a_time_zone(tmp_path: Path):
    policy = load(tmp_path, peak_hours="09:30-16:00", peak_time_zone="America/New_York").policy
    assert (policy.peak_hours, policy.peak_time_zone) == ("09:30-16:00", "America/New_York")


@pytest.mark.norm("N35")
@pytest.mark.parametrize("urls", ['"json://host"', "[3]", '["no url"]', "{}"])
def test_receivers_of_alerts_are_a_list_of_urls(tmp_path: Path, urls: str):
    load(tmp_path)
    file = tmp_path / "tradex.toml"
    file.write_text(file.read_text(encoding="utf-8") + f"urls = {urls}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"\[alerts\] urls"):
        load_config(file)
    good = file.read_text(encoding="utf-8").replace(f"urls = {urls}\n", 'urls = ["json://host"]\n')
    file.write_text(good, encoding="utf-8")
    assert load_config(file).alert_urls == ("json://host",)
