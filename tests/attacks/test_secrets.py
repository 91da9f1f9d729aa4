"""Who else may read and write what a workspace is made of, and where a secret does not stand."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit import small
from tradex_ledger.cli.escape import masked
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE, ConfigError, load_config
from tradex_ledger.modes import exposures
from tradex_ledger.workspace import Workspace

SECRET = "hunter2"
URLS = [
    SECRET,
    f"s3cret://user:{SECRET}@host/x",
    f"postgresql://ana:{SECRET}@db.example.org/ledger",
    f"postgresql+psycopg://ana:p@ss{SECRET}@db/ledger?sslmode=require",
    f"mysql://db/ledger?user=ana&password={SECRET}",
    f"{SECRET}://db/x",
    f"//{SECRET}@db",
    f"sqlite+nothing://ana:{SECRET}@db/x",
    f"sqlite://ana:{SECRET}@db/x.db",
]


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    small.deliver(tmp_path / "posts", days=2)
    return tmp_path / "posts"


@pytest.fixture
def mask() -> Iterator[None]:
    """The umask, as it was before."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("umask", "settings", "ledger"), [(0, 0o644, 0o644), (0o27, 0o640, 0o640), (0o77, 0o600, 0o600)]
)
def test_init_gives_nobody_more_than_it_has_to(
    tmp_path: Path, posts: Path, mask: None, umask: int, settings: int, ledger: int
):
    os.umask(umask)
    with Workspace.create(tmp_path / "ws", source=f"files:{posts}", actor="ana", clock=small.Ticking()) as made:
        assert mode(tmp_path / "ws" / FILE) == settings
        assert mode(tmp_path / "ws" / "ledger.db") == ledger
        made.incremental.run(last=small.day(1))
        beside = [tmp_path / "ws" / f"ledger.db-{end}" for end in ("wal", "shm")]
        assert {mode(path) & ~ledger for path in beside} == {0}


def test_what_the_owner_has_widened_stays_so(tmp_path: Path, posts: Path, capsys: pytest.CaptureFixture[str]):
    ws = tmp_path / "ws"
    small.create(ws, f"files:{posts}").close()
    (ws / FILE).chmod(0o644)
    (ws / "ledger.db").chmod(0o644)
    assert run(["-C", str(ws), "run", "--to", "2024-01-01"]) == 0
    assert (mode(ws / FILE), mode(ws / "ledger.db")) == (0o644, 0o644)
    assert "warning" not in capsys.readouterr().err


def test_settings_left_half_made_are_made_anew(tmp_path: Path, posts: Path):
    """An attempt of an older release left them for everybody to read, or somebody else laid a link there."""
    ws, elsewhere = tmp_path / "ws", tmp_path / "elsewhere"
    ws.mkdir()
    elsewhere.write_text("mine", encoding="utf-8")
    (ws / f".{FILE}.new").symlink_to(elsewhere)
    Workspace.create(ws, source=f"files:{posts}", actor="ana", clock=small.Ticking()).close()
    assert (elsewhere.read_text(encoding="utf-8"), mode(ws / FILE)) == ("mine", 0o644)


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_ledger_that_is_none_is_not_repeated(
    tmp_path: Path, posts: Path, capsys: pytest.CaptureFixture[str], url: str, more: list[str]
):
    assert run(["init", str(tmp_path / "ws"), "--source", f"files:{posts}", "--ledger", url, *more]) == 2
    captured = capsys.readouterr()
    assert SECRET not in captured.out + captured.err
    assert "sqlite:///PATH" in captured.err or "PGPASSFILE" in captured.err
    left = [path for path in (tmp_path / "ws").rglob("*") if path.is_file()] if (tmp_path / "ws").exists() else []
    assert [path for path in left if SECRET in path.read_text(encoding="utf-8", errors="replace")] == []


@pytest.mark.parametrize("url", URLS)
def test_nor_is_one_of_the_settings(tmp_path: Path, posts: Path, capsys: pytest.CaptureFixture[str], url: str):
    ws = tmp_path / "ws"
    small.create(ws, f"files:{posts}").close()
    text = (ws / FILE).read_text(encoding="utf-8").replace('"sqlite:///ledger.db"', json.dumps(url))
    (ws / FILE).write_text(text, encoding="utf-8")
    for arguments in (["status"], ["run"], ["audit", "log", "--json"]):
        assert run(["-C", str(ws), *arguments]) == 2
        captured = capsys.readouterr()
        assert SECRET not in captured.out + captured.err
    (ws / FILE).write_text(text.replace(json.dumps(url), f'["{url}"]'), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(ws / FILE)
    assert SECRET not in caught.value.message


@pytest.mark.parametrize(
    "arguments",
    [
        ["init", "ws", "--source", f"https://ana:{SECRET}@vendor.example.org/posts"],
        ["init", "ws", "--source", f"https://vendor.example.org/posts?access={SECRET}"],
        ["status", f"postgresql://ana:{SECRET}@db/ledger"],
        ["query", "select 1", "--as-of", f"https://{SECRET}@host"],
        ["alerts", "--limit", f"mailto://ana:{SECRET}@host"],
    ],
)
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_no_error_repeats_the_password_of_a_url(
    tmp_path: Path,
    posts: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    more: list[str],
):
    monkeypatch.chdir(tmp_path)
    if arguments[0] != "init":
        small.create(tmp_path / "ws", f"files:{posts}").close()
        monkeypatch.setenv("TRADEX_WORKSPACE", str(tmp_path / "ws"))
    assert run([*arguments, *more]) == 2
    captured = capsys.readouterr()
    assert captured.err
    assert SECRET not in captured.out + captured.err


def test_what_is_masked_and_what_is_not():
    assert masked(f"at postgresql://ana:p@:/{SECRET}@db/x it ends") == "at postgresql://***@db/x it ends"
    assert masked(f"https://{SECRET}@db/x") == "https://***@db/x"
    assert masked(f"https://x/y?token={SECRET}&day=3") == "https://x/y?token=***&day=3"
    assert (
        masked(f"no ledger in sqlite:////x.db%3Fpassword%3D{SECRET}") == "no ledger in sqlite:////x.db%3Fpassword%3D***"
    )
    assert masked(f"no workspace in https:/ana:{SECRET}@host/x") == "no workspace in https:/***@host/x"
    assert masked(f"posts?access_token={SECRET}&day=3") == "posts?access_token=***&day=3"
    assert masked(f"https://x/y?X-Amz-Signature={SECRET}") == "https://x/y?X-Amz-Signature=***"
    for text in (
        "files:/posts@home",
        "files:posts@home",
        "mail ana@example.org",
        "postgresql://ana@db.example.org:5432/ledger",
        "sqlite:////data/ledger.db",
        "https://x/y?day=3",
    ):
        assert masked(text) == text


@pytest.fixture
def ws(tmp_path: Path, posts: Path) -> Path:
    with small.create(tmp_path / "made", f"files:{posts}") as made:
        made.incremental.run(last=small.day(1))
    return Path(shutil.copytree(tmp_path / "made", tmp_path / "ws"))


WIDE = [
    (FILE, 0o646, "anybody can write the settings"),
    ("ledger.db", 0o666, "anybody can write the ledger"),
    ("lake", 0o777, "anybody can write the lake"),
    ("lake/gold_metrics", 0o777, "anybody can write the lake"),
    ("", 0o777, "anybody can put other files"),
]
REASON = ["--reason", "legal hold, case 7"]


@pytest.mark.parametrize(("name", "wide", "said"), WIDE)
def test_what_anybody_can_write_is_warned_of_once(
    ws: Path, capsys: pytest.CaptureFixture[str], name: str, wide: int, said: str
):
    (ws / name).chmod(wide)
    days = ["--from", "2024-01-01", "--to", "2024-01-01"]
    for more in ([], ["--json"]):
        for deed in ("protect", "unprotect"):
            assert run(["-C", str(ws), "dataset", deed, "gold_signals", *days, *REASON, *more]) == 0
            assert capsys.readouterr().err.count(f"warning: {ws / name} is") == 1, (deed, more)
    assert run(["-C", str(ws), "status"]) == 0
    assert said not in capsys.readouterr().err  # who only reads can mend nothing


@pytest.mark.parametrize("end", ["wal", "shm"])
def test_what_lies_beside_the_ledger_is_of_it(ws: Path, end: str):
    with Workspace.open(ws, actor="ana") as opened:
        opened.ledger.position()
        (ws / f"ledger.db-{end}").chmod(0o666)
        (said,) = exposures(opened.config)
    assert said.startswith(f"{ws}/ledger.db-{end} is -rw-rw-rw-: anybody can write the ledger")


def test_settings_with_secrets_are_not_for_everybody(ws: Path, capsys: pytest.CaptureFixture[str]):
    text = (ws / FILE).read_text(encoding="utf-8")
    url = f"mailto://ana:{SECRET}@example.org"
    (ws / FILE).write_text(text.replace("[alerts]", f"[alerts]\nurls = [{json.dumps(url)}]"), encoding="utf-8")
    protect = ["dataset", "protect", "gold_signals", "--from", "2024-01-01", "--to", "2024-01-01"]
    for wide, warned in ((0o600, 0), (0o640, 0), (0o644, 1)):
        (ws / FILE).chmod(wide)
        run(["-C", str(ws), *protect, "--reason", f"legal hold, case {wide}"])
        error = capsys.readouterr().err
        assert error.count("anybody can read the settings") == warned
        assert SECRET not in error


def test_a_folder_for_all_in_which_each_keeps_his_own_is_none_that_anybody_can_write(
    ws: Path, capsys: pytest.CaptureFixture[str]
):
    ws.chmod(0o1777)
    run(["-C", str(ws), "run", "--to", "2024-01-01"])
    assert "warning" not in capsys.readouterr().err


@pytest.mark.parametrize("place", ["nowhere/x.db", "x.db"])
def test_a_name_of_a_ledger_that_looks_like_a_password_is_not_repeated(
    tmp_path: Path, posts: Path, capsys: pytest.CaptureFixture[str], place: str
):
    url = f"sqlite:///{tmp_path / place}?key={SECRET}"
    if place == "nowhere/x.db":
        assert run(["init", str(tmp_path / "ws"), "--source", f"files:{posts}", "--ledger", url]) == 6
        assert list((tmp_path / "ws").rglob("*toml*")) == []
    else:
        small.create(tmp_path / "ws", f"files:{posts}").close()
        text = (tmp_path / "ws" / FILE).read_text(encoding="utf-8").replace('"sqlite:///ledger.db"', json.dumps(url))
        (tmp_path / "ws" / FILE).write_text(text, encoding="utf-8")
        assert run(["-C", str(tmp_path / "ws"), "status", "--json"]) == 4
    captured = capsys.readouterr()
    assert SECRET not in captured.out + captured.err


LIKE_URLS = [f"s3://ana:{SECRET}@host/b", f"file:///x?token={SECRET}", f"postgresql://ana:{SECRET}@db/x"]


@pytest.mark.parametrize("url", LIKE_URLS)
def test_a_url_makes_no_folder(
    tmp_path: Path, posts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, url: str
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    source = ["--source", f"files:{posts}"]
    for call in (
        ["init", "ws", *source, "--lake", url],
        ["init", "ws", *source, "--pipeline", url],
        ["init", "ws", *source, "--ledger", f"sqlite:///{url}"],
        ["init", "ws", "--source", f"files:{url}"],
        ["init", url, *source],
        ["demo", "--dir", url],
        ["-C", url, "status"],
        ["trust", url],
    ):
        assert run(call) == 2, call
        captured = capsys.readouterr()
        assert (
            re.search("is given as a URL|URL .not repeated", captured.err) and SECRET not in captured.out + captured.err
        )
        assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("url", LIKE_URLS)
def test_nor_does_one_of_the_settings(ws: Path, capsys: pytest.CaptureFixture[str], url: str):
    text = (ws / FILE).read_text(encoding="utf-8")
    for old, new in (
        ('lake = "lake"', f'lake = "{url}"'),
        ('# pipeline = "pipeline"', f'pipeline = "{url}" #'),
        ('uri = "files:', f'uri = "files:{url}" # "'),
    ):
        assert old in text
        (ws / FILE).write_text(text.replace(old, new), encoding="utf-8")
        before = sorted(path.name for path in ws.iterdir())
        for command in ("status", "run"):
            assert run(["-C", str(ws), command]) == 2
            captured = capsys.readouterr()
            assert (
                re.search("is given as a URL|URL .not repeated", captured.err)
                and SECRET not in captured.out + captured.err
            )
        assert sorted(path.name for path in ws.iterdir()) == before


def test_a_ledger_lies_in_its_workspace_however_its_url_begins(
    tmp_path: Path, posts: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    call = ["init", str(tmp_path / "made"), "--source", f"files:{posts}", "--ledger"]
    assert run([*call, "sqlite+pysqlite:///x.db"]) == 0
    assert list((tmp_path / "here").iterdir()) == []
    assert (tmp_path / "made" / "x.db").is_file()
    assert run(["-C", str(tmp_path / "made"), "status"]) == 0
    assert run([*call[:1], str(tmp_path / "other"), *call[2:], "sqlite:///"]) == 2


def test_no_password_is_put_on_record(ws: Path, capsys: pytest.CaptureFixture[str]):
    days = ["--from", "2024-01-01", "--to", "2024-01-01"]
    reason = f"legal hold, see https://ana:{SECRET}@tracker/INC-7"
    assert run(["-C", str(ws), "dataset", "protect", "gold_signals", *days, "--reason", reason, "--json"]) == 2
    captured = capsys.readouterr()
    assert "would be on record for good" in captured.err
    assert SECRET not in captured.out + captured.err
    assert SECRET.encode() not in (ws / "ledger.db").read_bytes()


def test_a_receiver_that_is_none_is_not_repeated(ws: Path, capsys: pytest.CaptureFixture[str]):
    text = (ws / FILE).read_text(encoding="utf-8")
    (ws / FILE).write_text(text.replace("[alerts]", f'[alerts]\nurls = ["{SECRET}://x"]'), encoding="utf-8")
    run(["-C", str(ws), "alerts", "--deliver", "--json"])
    captured = capsys.readouterr()
    assert "does not know number 1" in captured.err
    assert SECRET not in captured.out + captured.err
