"""Answers: every value, exactly, in every output; and every output that goes wrong ends in a line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests import worlds
from tests.kit.tree import CLI
from tradex_ledger.audit.query import QueryError, query
from tradex_ledger.cli.main import run
from tradex_ledger.workspace import Workspace

BIG = 170141183460469231731687303715884105727
DAY = "2014-02-01T12:00:00.000000Z"

VALUES: list[tuple[str, str, str]] = [
    # the value, its JSON, its cell
    ("timestamptz '2014-02-01 14:00:00+02'", f'"{DAY}"', "2014-02-01 12:00:00Z"),
    ("timestamp '2014-02-01 12:00:00.000001'", '"2014-02-01T12:00:00.000001Z"', "2014-02-01 12:00:00.000001Z"),
    ("timestamp_ns '2014-02-01 12:00:00.123456789'", '"2014-02-01T12:00:00.123456789Z"', ""),
    ("timestamp_s '2014-02-01 12:00:00'", f'"{DAY}"', "2014-02-01 12:00:00Z"),
    ("to_timestamp(0)", '"1970-01-01T00:00:00.000000Z"', "1970-01-01 00:00:00Z"),
    ("timestamp 'infinity'", '"infinity"', "infinity"),
    ("timestamptz '-infinity'", '"-infinity"', "-infinity"),
    ("date 'infinity'", '"infinity"', "infinity"),
    ("date '9999-12-31'", '"9999-12-31"', "9999-12-31"),
    ("date '12014-02-01'", '"12014-02-01"', "12014-02-01"),
    ("date '0044-03-15 (BC)'", '"0044-03-15 (BC)"', "0044-03-15 (BC)"),
    ("timestamptz '12014-02-01 12:00:00+00'", '"12014-02-01T12:00:00.000000Z"', ""),
    ("time '12:00:01.5'", '"12:00:01.500000"', "12:00:01.500000"),
    ("time '24:00:00'", '"24:00:00"', "24:00:00"),
    ("timetz '12:00:00+02'", '"12:00:00+02:00"', "12:00:00+02:00"),
    ("interval '1 month 2 days'", '"1 month 2 days"', "1 month 2 days"),
    (f"{BIG}::hugeint", str(BIG), str(BIG)),
    (f"-{BIG}::hugeint", str(-BIG), str(-BIG)),
    (f"{2 * BIG + 1}::uhugeint", str(2 * BIG + 1), str(2 * BIG + 1)),
    (f"'{BIG}{BIG}'::bignum", f"{BIG}{BIG}", f"{BIG}{BIG}"),
    ("18446744073709551615::ubigint", "18446744073709551615", "18446744073709551615"),
    ("(-9223372036854775808)::bigint", "-9223372036854775808", "-9223372036854775808"),
    ("0.10::decimal(5, 2)", "0.10", "0.10"),
    ("0.0000000001::decimal(38, 10)", "0.0000000001", "0.0000000001"),
    ("12345678901234567890.123456789::decimal(38, 9)", "12345678901234567890.123456789", ""),
    ("99999999999999999999999999999999999999::decimal(38, 0)", "9" * 38, "9" * 38),
    ("'nan'::double", '"NaN"', "NaN"),
    ("'inf'::double", '"Infinity"', "Infinity"),
    ("'-inf'::float", '"-Infinity"', "-Infinity"),
    ("uuid '00000000-0000-0000-0000-00000000000a'", '"00000000-0000-0000-0000-00000000000a"', ""),
    (r"'\xAA\x00a'::blob", '"aa0061"', "aa0061"),
    ("'0101'::bit", '"0101"', "0101"),
    ("'y'::enum('x', 'y')", '"y"', "y"),
    ("true", "true", "yes"),
    ("null", "null", "-"),
    ("[timestamptz '2014-02-01 12:00:00+00', null]", f'["{DAY}", null]', ""),
    ("[date '2014-02-01', date 'infinity']::date[2]", '["2014-02-01", "infinity"]', ""),
    ("{'a': [{'b': interval '1 month'}], 'c \"d': 1}", '{"a": [{"b": "1 month"}], "c \\"d": 1}', ""),
    ("row(1, date 'infinity')", '[1, "infinity"]', ""),
    ("map {'a': timestamptz '2014-02-01 12:00:00+00'}", f'{{"a": "{DAY}"}}', ""),
    (f"map {{{BIG}::hugeint: 1}}", f'{{"{BIG}": 1}}', ""),
    ("map {date '2014-02-01': 0.1}", '{"2014-02-01": 0.1}', ""),
    ("map {[1]: 2}", '[{"key": [1], "value": 2}]', ""),
    ("map {{'a': date 'infinity'}: 2}", '[{"key": {"a": "infinity"}, "value": 2}]', ""),
    ("union_value(k := timestamptz '2014-02-01 12:00:00+00')", f'"{DAY}"', "2014-02-01 12:00:00Z"),
    ("('2014-02-01 12:00:00+00')::union(t timestamptz, s varchar)", '"2014-02-01 12:00:00+00"', ""),
    ("[union_value(k := interval '1 month'), null]", '["1 month", null]', ""),
    (f"{{'a': {BIG}::hugeint, 'b': [0.10, 'nan'::double]}}", f'{{"a": {BIG}, "b": [0.1, "NaN"]}}', ""),
    ("null::struct(a timestamptz)", "null", "-"),
    ("null::map(date, date)", "null", "-"),
    ("null::timestamptz[]", "null", "-"),
]


@pytest.fixture(scope="module")
def ws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with a run."""
    folder = tmp_path_factory.mktemp("answers")
    worlds.copied(folder, days=2, until=3)
    yield folder / "ws"


def asked(ws: Path, *arguments: str | bytes, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a process of its own."""
    environment = {**os.environ, "TRADEX_ACTOR": "ana", **options.pop("env", {})}
    command = [sys.executable, str(CLI), "-C", str(ws), *arguments]
    if "stdout" not in options:
        options["stdout"] = subprocess.PIPE
    if "stderr" not in options:
        options["stderr"] = subprocess.PIPE
    return subprocess.run(command, env=environment, check=False, **options)


def shell(ws: Path, script: str) -> tuple[int, str]:
    """Run a script of the shell in which `tradex` asks the workspace; its status, and all it said."""
    tradex = f'tradex() {{ "{sys.executable}" "{CLI}" -C "{ws}" "$@"; }}; set -o pipefail; '
    ended = subprocess.run(["bash", "-c", tradex + script], capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def exact(text: str) -> Any:
    """A document with its numbers as they are written."""
    return json.loads(text, parse_float=Decimal)


@pytest.mark.parametrize(("value", "document", "cell"), VALUES)
def test_every_value_is_answered_exactly(
    ws: Path, capsys: pytest.CaptureFixture[str], value: str, document: str, cell: str
):
    # By itself, and in a list and a struct, where its type is only seen from outside.
    for sql, wanted in (
        (f"select {value} as v, {value} as v", f"[[{document}, {document}]]"),
        (f"select [{{'deep': {value}}}] as v", f'[[[{{"deep": {document}}}]]]'),
    ):
        assert run(["-C", str(ws), "query", sql, "--json"]) == 0
        assert exact(capsys.readouterr().out)["rows"] == exact(wanted)
    assert run(["-C", str(ws), "query", f"select {value} as v"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "v"
    if cell:
        assert shown[1:] == [cell]


def test_a_terminal_is_shown_the_same(ws: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    assert (
        run(["-C", str(ws), "query", f"select {BIG}::hugeint a, 0.10::decimal(4,2) b, timestamptz 'infinity' c"]) == 0
    )
    assert capsys.readouterr().out.split()[-3:] == [str(BIG), "0.10", "infinity"]


def test_what_comes_after_a_statement_changes_nothing(ws: Path, capsys: pytest.CaptureFixture[str]):
    for sql in (
        "select now() > timestamp '2014-02-01' as v, now() as n;",
        "select true as v, now() as n -- ;",
        "select true as v, now() as n; -- é; 📈\n;",
        "/* ; */ select true as v, now() as n ;; /* ; */",
        "with x as (select true as v) select v, now() as n from x",
    ):
        assert run(["-C", str(ws), "query", sql, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["rows"][0][0] is True


def test_rows_keep_their_order_and_columns_their_names(ws: Path):
    with Workspace.open(ws, reading=True) as workspace:
        columns = 'created_at::timestamptz, count(*), post_id as "a b"'
        sql = f"select {columns} from bronze_x_posts group by all order by 3 desc"
        with_zone = query(workspace.ledger.store, workspace.core.lake, sql)
        without = query(workspace.ledger.store, workspace.core.lake, sql.replace("::timestamptz", ""))
        assert [row[1:] for row in with_zone.rows] == [row[1:] for row in without.rows]
        assert [row[0].replace(tzinfo=None) for row in with_zone.rows] == [row[0] for row in without.rows]
        assert without.columns[1:] == with_zone.columns[1:] == ["count_star()", "a b"]
        assert query(workspace.ledger.store, workspace.core.lake, "describe gold_signals").rows
        with pytest.raises(QueryError, match=r"caf\\xe9"):
            query(workspace.ledger.store, workspace.core.lake, os.fsdecode(b"select 'caf\xe9'"))


def test_what_is_wrong_with_a_statement_is_said_in_a_line(ws: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["-C", str(ws), "query", "select signal_version from gold_signals"]) == 2
    said = capsys.readouterr().err.splitlines()[0]
    assert said.startswith('error: Binder Error: Referenced column "signal_version" not found')
    assert "Candidate bindings" in said and "\\n" not in said


def test_a_zone_of_the_world_is_known(ws: Path, capsys: pytest.CaptureFixture[str]):
    sql = "select timestamptz '2014-02-01 12:00:00+00' at time zone 'America/New_York'"
    assert run(["-C", str(ws), "query", sql]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "2014-02-01 07:00:00Z"


# -- streams


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_an_output_that_is_not_utf8_gets_the_characters_escaped(ws: Path, encoding: str):
    environment = {"PYTHONIOENCODING": encoding}
    shown = asked(ws, "query", "select '📈é' as v", env=environment)
    assert (shown.returncode, b"\\U0001f4c8" in shown.stdout) == (0, True)
    document = asked(ws, "query", "select '📈é\u2028' as v", "--json", env=environment)
    assert json.loads(document.stdout.decode("ascii"))["rows"] == [["📈é\u2028"]]
    refused = asked(ws, "query", "select '📈é' from 📈", env=environment)
    assert (refused.returncode in (2, 4), b"Traceback" in refused.stderr) == (True, False)
    for arguments in (["--help"], ["audit", "log"], ["dataset", "show", "gold_signals"], ["query", "--help"]):
        ended = asked(ws, *arguments, env=environment)
        assert (ended.returncode, b"Traceback" in ended.stderr) == (0, False)


def test_a_statement_that_is_not_utf8_ends_in_a_line(ws: Path):
    sql = b"select 'caf\xe9'"
    for more in ([], ["--json"]):
        ended = asked(ws, "query", sql, *more)
        assert ended.returncode == 2
        assert b"Traceback" not in ended.stderr
        assert b"caf\\xe9" in ended.stderr
    for environment in ({"PYTHONUTF8": "0", "LC_ALL": "C"}, {"PYTHONIOENCODING": "utf-8"}):
        ended = asked(ws, "query", "-", input=sql, env=environment)
        assert (ended.returncode, b"Traceback" in ended.stderr, b"UTF-8" in ended.stderr) == (2, False, True)


@pytest.mark.parametrize(
    "arguments", ["status", "--help", "audit log --json", "query --help", "dataset show gold_signals"]
)
def test_a_reader_that_goes_is_no_failure(ws: Path, arguments: str):
    status, said = shell(ws, f"tradex {arguments} | true")
    assert (status, said) == (0, said)
    assert "rror" not in said
    status, said = shell(ws, f"tradex {arguments} 2>&1 | head -1")
    assert (status, len(said.splitlines())) == (0, 1)


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_reader_of_very_much_that_goes_is_no_failure(ws: Path, buffered: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", buffered)
    assert shell(ws, "tradex query 'select * from range(200000)' | head -1") == (0, "range\n")
    assert shell(ws, "tradex query 'select * from range(200000)' --json | head -1") == (0, "{\n")


@pytest.mark.parametrize("buffered", ["", "1"])
def test_an_answer_that_did_not_fit_is_no_success(ws: Path, buffered: str, tmp_path: Path):
    """A disk (here: the bound on a file's size) that takes only a part of the answer."""
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
        "from tradex_ledger.cli.main import main; main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", script, "-C", str(ws), "query", "select * from range(20000)"]
    environment = {**os.environ, "PYTHONUNBUFFERED": buffered}
    with (tmp_path / "out").open("wb") as out:
        ended = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, env=environment, check=False)
    assert (ended.returncode, b"cannot be written" in ended.stderr, b"Traceback" in ended.stderr) == (6, True, False)


def test_a_failure_stays_one_when_its_reader_goes(ws: Path):
    assert shell(ws, "tradex query 'select * from nobody' --json 2>/dev/null | true")[0] == 4


@pytest.mark.parametrize("where", [">&-", ">/dev/full", "1</dev/null"])
def test_an_output_that_takes_nothing_ends_in_a_line(ws: Path, where: str):
    if "full" in where and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    for arguments in ("status", "status --json", "--help", "--version", "audit log", "query 'select 1' --json"):
        status, said = shell(ws, f"tradex {arguments} {where}")
        lines = [line for line in said.splitlines() if not line.startswith(("1 row", "as of", "warning"))]
        assert status == 6, (arguments, said)
        assert [line.partition(":")[0] for line in lines[-2:]] == ["error", "mend"], said
        assert "Traceback" not in said
        assert "Exception ignored" not in said
    status, said = shell(ws, f"tradex query 'select * from nobody' --json {where}")
    assert (status in (4, 6), "Traceback" in said) == (True, False)


def test_what_is_said_beside_a_result_may_go_nowhere(ws: Path):
    for where in ("2>&-", "2>/dev/full", "2</dev/null", "<&-", "<&- 2>&-"):
        status, said = shell(ws, f"tradex query 'select 1 as v' {where}")
        assert (status, said.splitlines()[:2]) == (0, ["v", "1"]), where
    assert shell(ws, "tradex query 'select * from nobody' 2>&-") == (4, "")
    assert shell(ws, "tradex query - <&-")[0] == 2


def test_nothing_is_printed_into_a_file_when_the_output_is_closed(ws: Path):
    before = (ws / "ledger.db").read_bytes()
    for script in ("tradex run --to 2024-01-02 >&-", "tradex status 2>&- >&-", "tradex audit log <&- >&- 2>&-"):
        assert shell(ws, script)[0] == 6
    assert (ws / "ledger.db").read_bytes() == before


def test_completion_still_completes(ws: Path):
    environment = {"_TRADEX_COMPLETE": "bash_complete", "COMP_WORDS": "tradex sta", "COMP_CWORD": "1"}
    assert b"status" in asked(ws, env=environment).stdout


def test_a_name_that_is_too_long_ends_in_a_line(ws: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["-C", "x" * 5000, "status"]) == 6
    assert run(["init", "x" * 5000, "--source", f"files:{ws.parent / 'posts'}"]) == 6
    assert "Traceback" not in capsys.readouterr().err
