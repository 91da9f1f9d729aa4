"""`tradex mirror`, what the settings may say, and that no mirror fails what was published."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit import mirrored, s3, small
from tests.kit.tree import ROOT
from tradex_ledger import slow
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE, ConfigError, load_config
from tradex_ledger.config_errors import PasswordInUrlError
from tradex_ledger.mirrors.open import NoSuchMirrorError
from tradex_ledger.mirrors.port import UnfitMirrorError
from tradex_ledger.workspace import Workspace


def test_mirrors_are_listed_kept_up_and_made_anew(ws: Path, capsys: pytest.CaptureFixture[str]):
    def call(*words: str) -> tuple[int, str, str]:
        status = run(["-C", str(ws), "--as", "ana", "mirror", *words])
        return status, *capsys.readouterr()

    status, out, _ = call("list", "--json")
    listed = json.loads(out)
    assert status == 0
    assert [(one["name"], one["kind"], one["behind"], one["problem"]) for one in listed] == [
        ("tables", "delta", 0, None),
        ("lakehouse", "ducklake", 0, None),
    ]
    status, out, _ = call("rebuild", "tables", "--json")
    (done,) = json.loads(out)
    assert (status, done["name"], done["steps"] > 0) == (0, "tables", True)
    status, out, _ = call("sync")
    assert status == 0 and "tables" in out and "lakehouse" in out
    status, out, error = call("sync", "tabels")
    assert (status, "no mirror 'tabels'" in error, "did you mean tables?" in error) == (4, True, True)
    mirrored.catalog_file(ws).unlink()
    assert run(["-C", str(ws), "metrics"]) == 0
    numbers = capsys.readouterr().out
    assert 'tradex_mirror_behind_events{kind="delta",name="tables"} 0.0' in numbers
    assert re.search(r'tradex_mirror_behind_events\{kind="ducklake",name="lakehouse"\} [1-9]', numbers)
    status, out, error = call("list")
    assert (status, "tradex mirror sync lakehouse" in error + out) == (1, True)
    assert call("sync", "lakehouse")[0] == 0
    assert call("list")[0] == 0


def test_a_mirror_that_cannot_be_never_fails_the_run_and_is_said(ws: Path):
    (ws / "mirrors" / "file").write_text("in the way", encoding="utf-8")
    settings = ws / FILE
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace('"mirrors/', '"mirrors/file/'), encoding="utf-8")
    heard: list[str] = []
    with slow.listen(heard.append), small.reopen(ws) as workspace:
        run_ = workspace.incremental.run(last=small.day(5))
        assert run_.status == "SUCCESS"
        for name in mirrored.NAMES:
            assert [text for text in heard if text.startswith(f"the mirror {name} is behind: ")], heard
        said = {one.kind for one in workspace.status().attention}
    assert said & {"mirror", "mirror behind"}
    settings.write_text(text, encoding="utf-8")
    with small.reopen(ws) as workspace:
        assert all(one.steps > 0 for one in workspace.mirrors.sync())


def test_who_asks_how_mirrors_stand_loads_nothing_that_writes_them(ws: Path):
    for words in (("status",), ("mirror", "list")):
        code = (
            "import sys; from tradex_ledger.cli.main import run; status = run(sys.argv[1:]); "
            "sys.exit(status or bool({'sqlalchemy', 'eventsourcing', 'psycopg'} & sys.modules.keys()) * 99)"
        )
        call = [sys.executable, "-c", code, "-C", str(ws), *words]
        done = subprocess.run(call, check=False, capture_output=True, text=True, cwd=ROOT)
        assert (done.returncode, "lakehouse" in done.stdout or words == ("status",)) == (0, True), done.stderr


def test_of_a_lake_in_s3_a_catalog_names_urls_and_delta_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    s3.moto().use(monkeypatch)
    ws, url = tmp_path / "ws", s3.fresh_url()
    small.deliver(tmp_path / "posts", days=2, posts_per_day=4)
    Workspace.create(ws, source=f"files:{tmp_path / 'posts'}", lake=url, actor="ana", clock=small.Ticking()).close()
    mirrored.name_mirrors(ws)
    heard: list[str] = []
    with slow.listen(heard.append), small.reopen(ws) as workspace:
        workspace.incremental.run(last=small.day(2))
        with pytest.raises(UnfitMirrorError, match="which is no folder"):
            workspace.mirrors.sync("tables")
        paths = {row[0] for row in workspace.query("select unnest(files).path from partitions").rows}
    assert [text for text in heard if "the mirror tables is behind: " in text]
    rows = mirrored.rows_of(mirrored.catalog_file(ws))
    assert ("data_path", f"{url}/", None, None) in rows["ducklake_metadata"]
    assert {row[5] for row in rows["ducklake_data_file"]} == paths


@pytest.mark.parametrize("place", ["ledger.db", "other.db"])
def test_a_catalog_in_the_ledger_is_refused_and_nothing_of_it_is_written_there(ws: Path, place: str):
    (ws / "other.db").symlink_to("ledger.db")
    with (ws / FILE).open("a", encoding="utf-8") as settings:
        settings.write(f'\n[mirrors.inside]\nkind = "ducklake"\nplace = "{place}"\n')
    before = (ws / "ledger.db").read_bytes()
    with small.reopen(ws) as workspace:
        for deed in (workspace.mirrors.sync, workspace.mirrors.rebuild):
            with pytest.raises(UnfitMirrorError, match="a ledger's own file"):
                deed("inside")
    assert (ws / "ledger.db").read_bytes() == before


def test_a_mirror_in_the_lake_is_refused(ws: Path):
    settings = ws / FILE
    settings.write_text(settings.read_text(encoding="utf-8").replace('"mirrors/', '"lake/mirrors/'), encoding="utf-8")
    with small.reopen(ws) as workspace:
        for name in mirrored.NAMES:
            with pytest.raises(UnfitMirrorError, match="lies in the lake"):
                workspace.mirrors.sync(name)
        with pytest.raises(NoSuchMirrorError):
            workspace.mirrors.sync("others")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[mirrors.A]\nkind = 'delta'\nplace = 'x'", "a mirror must have a name"),
        ("[mirrors.a]\nkind = 'iceberg'\nplace = 'x'", "a: kind must be one of delta, ducklake"),
        ("[mirrors.a]\nkind = 'delta'", "a: place must be a text"),
        ("[mirrors.a]\nkind = 'delta'\nplace = 's3://b/x'", "a: place must be a path"),
        ("[mirrors.a]\nkind = 'ducklake'\nplace = 'mysql://h/x'", "a: place must be a path, or postgresql"),
        ("[mirrors.a]\nkind = 'delta'\nplace = 'x'\nurl = 'y'", "[mirrors.a] has url, which nobody knows"),
        ("[mirrors]\na = 'x'", "[mirrors] has a, which is no section"),
        (
            "[mirrors.a]\nkind = 'delta'\nplace = 'x'\n[mirrors.b]\nkind = 'ducklake'\nplace = 'x'",
            "two mirrors have the place x",
        ),
    ],
)
def test_settings_that_name_no_mirror_are_said(ws: Path, text: str, problem: str):
    settings = ws / FILE
    before = settings.read_text(encoding="utf-8").partition("\n[mirrors.")[0]
    settings.write_text(f"{before}\n{text}\n", encoding="utf-8")
    with pytest.raises(ConfigError) as told:
        load_config(settings)
    assert problem in told.value.message


def test_a_password_does_not_stand_in_the_settings(ws: Path):
    with (ws / FILE).open("a", encoding="utf-8") as file:
        file.write('[mirrors.shared]\nkind = "ducklake"\nplace = "postgresql://ana:secret@host/lake"\n')
    with pytest.raises(PasswordInUrlError) as told:
        load_config(ws / FILE)
    assert "secret" not in told.value.message
