"""Whatever is asked of the command line, and wherever: it ends in a line and a status, never in a traceback."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.kit import fuzzing
from tests.kit.fuzzing import ENDS, called, fresh, harness
from tests.kit.odd_inputs import odd_places, odd_posts, odd_settings
from tests.kit.terminal import on_terminal
from tests.kit.tree import CLI
from tradex_ledger import keyed
from tradex_ledger.cli.faults import keep_quiet
from tradex_ledger.cli.main import run
from tradex_ledger.config import FILE

SAMPLE = {"calls": 2, "queries": 60, "definitions": 6, "posts": 4, "settings": 12, "places": 10}  # calls: of each
SECONDS = float(os.environ.get("TRADEX_FUZZ_SECONDS", "3600"))
SECRET = "hunter2"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, fuzzing.Known]:
    return fuzzing.workspace(tmp_path_factory.mktemp("fuzzed"), pipeline=True)


@pytest.fixture
def at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a copy of it goes; what was done to the process is undone."""
    monkeypatch.chdir(tmp_path)
    for name in ("TRADEX_WORKSPACE", "TRADEX_ACTOR"):
        monkeypatch.delenv(name, raising=False)
    with harness():
        yield tmp_path / "work"


@pytest.fixture
def ws(made: tuple[Path, fuzzing.Known], at_work: Path) -> Path:
    return fresh(made[0], at_work)


def no_fault(arguments: list[str]) -> int:
    """A call that ends as calls may; else what was written of it is shown."""
    status = called(arguments)
    if status not in ENDS:
        home = keyed.cache_home()
        kept = sorted(home.glob("fault-*"))[-1:] if home else []
        pytest.fail(f"{arguments!r} ends with {status}\n{kept[0].read_text(encoding='utf-8') if kept else ''}")
    return status


def fuzz(strategy: st.SearchStrategy[object], check: object, examples: int | None) -> None:
    """So many examples, always the same; without a number, others for as long as TRADEX_FUZZ_SECONDS says."""
    many = settings(
        max_examples=examples or 1_000_000,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate] if examples else [Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
    )
    end = time.monotonic() + SECONDS / len(SAMPLE)

    class TimeIsUp(BaseException):
        pass

    def timed(example: object) -> None:
        if examples is None and time.monotonic() > end:
            raise TimeIsUp
        check(example)  # type: ignore[operator]  # each check takes what its own strategy draws

    start = 9162 if examples else int.from_bytes(os.urandom(4))
    try:
        seed(start)(many(given(strategy)(timed)))()
    except TimeIsUp:
        return
    except BaseException:
        sys.stderr.write(f"seed {start}\n")
        raise


SOAK = (pytest.mark.soak, pytest.mark.fuzz)


def sampled(kind: str) -> list[object]:
    return [SAMPLE[kind], pytest.param(None, marks=SOAK)]


@pytest.mark.parametrize("examples", sampled("calls"))
def test_no_call_ends_in_a_fault(made: tuple[Path, fuzzing.Known], at_work: Path, examples: int | None):
    def check(arguments: list[str]) -> None:
        fresh(made[0], at_work)
        no_fault(arguments)

    for command in fuzzing.ALL if examples else ():  # a sample of all of them together leaves most of them out
        fuzz(fuzzing.calls(made[1], (command,)), check, examples)
    if examples is None:
        fuzz(fuzzing.calls(made[1]), check, None)


@pytest.mark.parametrize("examples", sampled("queries"))
def test_no_query_ends_in_a_fault(ws: Path, examples: int | None):
    fuzz(fuzzing.statements(), lambda sql: no_fault(["query", "--json", "--", str(sql)]), examples)


@pytest.mark.parametrize("examples", sampled("definitions"))
def test_no_definition_ends_in_a_fault(made: tuple[Path, fuzzing.Known], at_work: Path, examples: int | None):
    texts = {path.name: path.read_text(encoding="utf-8") for path in (made[0] / "ws" / "pipeline").glob("*.sql")}
    why = ["--reason", "spikes start at z = 4, not 3"]
    request = ["backfill", "request", "dataset", "gold_metrics", "--no-override-state", *why]

    def check(files: dict[str, str]) -> None:
        ws = fresh(made[0], at_work)
        for name, text in files.items():
            (ws / "pipeline" / name).write_text(text, encoding="utf-8", errors="surrogatepass")
        for arguments in (["dataset", "list"], ["dataset", "bump", "--changed", *why], request, ["run"], ["status"]):
            no_fault(arguments)

    fuzz(fuzzing.definitions(texts), check, examples)


ASKED = (
    *(["status"], ["alerts", "--deliver"], ["run", "--to", "2024-01-08", "--yes"], ["backfill", "propose"]),
    *(["policy", "set", "--reason", "asked for by the desk, INC-4301"], ["ledger", "show"], ["lake", "gc"]),
    *(["query", "select * from bronze_x_posts__rejected", "--json"], ["query", "select * from gold_signals"]),
)
ODD: dict[str, tuple[Callable[[Path, random.Random], object], tuple[int, ...]]] = {
    "posts": (odd_posts, (2, 3, 7)),
    "settings": (odd_settings, (4, 0, 1, 5)),
    "places": (odd_places, (0, 2, 5, 8)),
}


@pytest.mark.parametrize(
    ("kind", "examples"),
    [*((kind, SAMPLE[kind]) for kind in ODD), *(pytest.param(kind, None, marks=SOAK) for kind in ODD)],
)
def test_nothing_that_is_laid_into_a_workspace_ends_in_a_fault(
    made: tuple[Path, fuzzing.Known], at_work: Path, kind: str, examples: int | None
):
    lay, asked = ODD[kind]

    def check(number: int) -> None:
        ws = fresh(made[0], at_work)
        said = lay(ws, random.Random(number))
        for place in asked:
            try:
                status = no_fault(ASKED[place])
            except BaseException:
                sys.stderr.write(f"{kind} {number}: {said}\n")
                raise
            assert status != 130, f"{ASKED[place]} has no end after {said}"

    fuzz(st.integers(0, 2**32), check, examples)


# -- values that were found


@pytest.mark.parametrize("literal", [*fuzzing.LITERALS[:56:3], *fuzzing.LITERALS[15:24]])
def test_a_value_of_any_type_is_shown(ws: Path, literal: str):
    for more in ([], ["--json"]):
        assert no_fault(["query", *more, "--", f"select {literal} as x, [{literal}] as y"]) in (0, 2)


@pytest.mark.parametrize(
    ("sql", "status"),
    [
        (f"select {' + '.join(['1'] * 300)} as x", 0),
        (f"select {'not ' * 300}true as x", 0),
        (f"select {'(' * 300}1{')' * 300} as x", 0),
        (f"select {' + '.join(['1'] * 900)} as x", 2),
        (f"select {' + '.join(['1'] * 20_000)} as x", 2),
        (f"select {'[' * 300}1{']' * 300} as x", 2),
        (f"from gold_signals_v{'9' * 5_000}", 4),
    ],
)
def test_a_statement_of_many_terms_is_answered_or_refused(
    ws: Path, capsys: pytest.CaptureFixture[str], sql: str, status: int
):
    assert no_fault(["query", "--json", "--", sql]) == status
    assert "depth limit exceeded: line" not in capsys.readouterr().err


@pytest.mark.parametrize("as_of", ["9" * 5_000, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "²", "٣"])
def test_an_absurd_time_is_refused_in_words(ws: Path, as_of: str):
    for command in (["status"], ["audit", "log"], ["query", "select 1"], ["state", "show"]):
        assert no_fault([*command, "--as-of", as_of]) in (0, 2, 4)


@pytest.mark.parametrize("poll", ["nan", "inf", "-inf", "-1", "0", "1e308", "1e-308", "9" * 5_000, "²"])
def test_an_absurd_pause_or_limit_is_refused_in_words(ws: Path, poll: str):
    assert no_fault(["worker", "--poll-seconds", poll]) == 2
    for command in (["audit", "log"], ["alerts"], ["backfill", "list"]):
        assert no_fault([*command, "--limit", poll]) == 2


@pytest.mark.parametrize(
    "csv", [b"", b"\n\n\n", b"\xef\xbb\xbfword\n1\n", b"\x00", b"\xff\xfe", b"a,a\n", b'"', b"a\n1,2\n", b"\r" * 99]
)
def test_odd_reference_data_is_refused_in_words(ws: Path, csv: bytes):
    (ws / "pipeline" / "lexicon.csv").write_bytes(csv)
    assert no_fault(["dataset", "bump", "--changed", "--reason", "other words, other moods"]) in (0, 3)


@pytest.mark.parametrize("line", [f"key = {'9' * 5_000}", f"key = {'[' * 5_000}", 'reads = { gold_metrics = "٣d" }'])
def test_an_odd_header_is_refused_in_words(ws: Path, line: str):
    file = ws / "pipeline" / "gold_metrics.sql"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("-- ///\n", f"-- {line}\n-- ///\n", 1), encoding="utf-8")
    assert no_fault(["dataset", "bump", "--changed", "--reason", "other words, other moods"]) == 3


# -- places


T = f"'{sys.executable}' '{CLI}' -C \"$WS\""
PLACES = {
    "closed output": (f"{T} audit log >&-", {}, 6),
    "closed errors": (f"{T} status 2>&-", {}, 0),
    "all closed": (f"{T} status <&- >&- 2>&-", {}, 6),
    "full disk": (f"{T} audit log >/dev/full 2>/dev/full", {}, 6),
    "reader gone": (f"{T} query 'select * from events' | head -1 >/dev/null; exit ${{PIPESTATUS[0]}}", {}, 0),
    "ASCII": (f"{T} query 'select chr(128512)'", {"PYTHONIOENCODING": "ascii"}, 0),
    "C": (f"{T} query 'select chr(233)'", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, 0),
    "removed folder": ("mkdir gone; cd gone; rmdir ../gone; " + T + " status", {}, 0),
    "removed folder, none named": (
        T.partition(" -C")[0].join(("mkdir gone; cd gone; rmdir ../gone; ", " status")),
        {},
        6,
    ),
    "no environment": (f"env -i {T} status", {}, 0),
    "no zones": (f"{T} status", {"PYTHONTZPATH": "", "TZ": "Nowhere/Nowhere"}, 0),
    "few files": (f"ulimit -n 8; {T} query 'select count(*) from gold_signals'", {}, 6),
    "no room": (f"{T} status", {"TMPDIR": "nowhere", "COLUMNS": "0"}, 0),
    "little memory": (f"ulimit -v 200000; {T} status", {}, 6),
    "less memory than an engine takes": (f"ulimit -v 400000; {T} query 'select 1'", {}, 6),
    "an encoding of some characters": (f"{T} query 'select chr(233)'", {"PYTHONIOENCODING": "idna"}, 0),
    "statement without end": (f"timeout 60 {T} query - </dev/zero", {}, 2),
    "no words to complete": (f"{T} status", {"_TRADEX_COMPLETE": "bash_complete"}, 2),
    "no shell to complete for": (f"{T} status", {"_TRADEX_COMPLETE": "x"}, 2),
    "an odd word to complete": (
        f"{T} status",
        {"_TRADEX_COMPLETE": "fish_complete", "COMP_WORDS": "tradex ", "COMP_CWORD": " "},
        2,
    ),
    "an odd terminal": (f"{T} status", {"COLUMNS": "1", "LINES": "x", "TERM": "x" * 300, "LANG": "x"}, 0),
}


@pytest.mark.parametrize("size", ["²", "٣", "9" * 5_000, "1"])
@pytest.mark.skipif(sys.platform != "linux", reason="a terminal's end is told otherwise elsewhere")
def test_a_terminal_of_any_size_is_drawn_on(ws: Path, size: str):
    call = [sys.executable, str(CLI), "-C", str(ws), "audit", "log", "--limit", "3"]
    shown = on_terminal(call, environment={"COLUMNS": size, "LINES": size, "TRADEX_PAGER": "cat"})
    assert shown.status == 0, shown.raw
    assert shown.raw.strip() and "fault" not in shown.raw


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.skipif(sys.platform != "linux", reason="limits and /dev/full are those of Linux")
def test_wherever_it_runs_it_ends_in_words(ws: Path, tmp_path: Path, place: str):
    script, more, status = PLACES[place]
    if place == "few files" and shutil.which("prlimit") is None:
        pytest.skip("prlimit of util-linux is not there")
    ended = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, **more, "WS": str(ws)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = ended.stdout + ended.stderr
    assert "Traceback" not in said and "Exception ignored" not in said, said
    assert "fault of the program" not in said, said
    assert ended.returncode == status, said
    assert "ABORT" not in said  # as glibc says it


# -- a fault of the program itself


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_fault_is_told_in_a_line_and_its_details_are_kept_without_what_was_given(
    ws: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
):
    def fail(*_: object, **__: object) -> None:
        cause = KeyError(f"at postgresql://ana:{SECRET}@db/x")
        raise ZeroDivisionError(f"while answering {SECRET}!") from cause

    monkeypatch.setenv(keyed.CACHE_HOME, str(tmp_path / "caches"))
    monkeypatch.setattr("tradex_ledger.audit.query.query", fail)
    assert run(["query", f"{SECRET}!", *more]) == 70
    captured = capsys.readouterr()
    (kept,) = (tmp_path / "caches").iterdir()
    assert f"this is a fault of the program (ZeroDivisionError); the details are in {kept}" in captured.err
    assert len(captured.err.splitlines()) == 2
    assert kept.stat().st_mode & 0o777 == 0o600
    details = kept.read_text(encoding="utf-8")
    assert SECRET not in details + captured.out + captured.err
    assert "KeyError" in details and "query.py" in details and "ZeroDivisionError: while answering ***" in details
    for name in ("HOME", "XDG_CACHE_HOME", keyed.CACHE_HOME):
        monkeypatch.delenv(name, raising=False)
    assert run(["query", "select 1"]) == 70
    assert "no folder of your own" in capsys.readouterr().err


def test_a_fault_beside_the_call_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv(keyed.CACHE_HOME, str(tmp_path / "caches"))
    for hook in (threading, "excepthook"), (sys, "unraisablehook"):
        monkeypatch.setattr(*hook, getattr(*hook))  # put back in the end
    keep_quiet()
    thread = threading.Thread(target=lambda: 1 // 0)
    thread.start()
    thread.join()
    (kept,) = (tmp_path / "caches").iterdir()
    said = capsys.readouterr().err
    assert said == f"warning: a fault of the program beside the call (ZeroDivisionError): {kept}\n"
    assert "ZeroDivisionError" in kept.read_text(encoding="utf-8")


def test_only_so_many_faults_are_kept(ws: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(keyed.CACHE_HOME, str(tmp_path / "caches"))
    monkeypatch.setattr("tradex_ledger.audit.query.query", lambda *_, **__: 1 // 0)
    for _ in range(25):
        assert run(["query", "select 1"]) == 70
    assert len(list((tmp_path / "caches").iterdir())) == 20


def test_settings_of_any_bytes_are_refused_in_words(ws: Path):
    whole = (ws / FILE).read_bytes()
    for content in (b"", b"\x00", b"\xff\xfe", b"[" * 5_000, whole.replace(b"format = 1", b"format = " + b"9" * 5_000)):
        (ws / FILE).write_bytes(content)
        for command in (["status"], ["run"], ["alerts"]):
            assert no_fault(command) in (2, 6)


def test_a_circle_of_links_is_told_wherever_it_is(ws: Path):
    for name in ("ledger.db", "lake", "pipeline"):
        shutil.move(ws / name, ws / "elsewhere")
        (ws / name).symlink_to(name)
        for command in (["status"], ["run", "--to", "2024-01-08"], ["query", "select 1"], ["trust", name]):
            assert no_fault(command) in ((0, 3, 6) if name != "ledger.db" else (6,)), (name, command)
        (ws / name).unlink()
        shutil.move(ws / "elsewhere", ws / name)
    assert no_fault(["status"]) == 0


def test_names_of_folders_that_cannot_be_are_refused_in_words(ws: Path):
    (ws / "circle").symlink_to(ws / "circle")
    for name in ("a\0b", "../a\0b", "circle", "x" * 5_000, "circle/../x"):
        assert no_fault(["-C", name, "status"]) in (0, 2, 4, 6), name
        for option in ("--source", "--lake", "--pipeline", "--ledger"):
            value = f"files:{name}" if option == "--source" else f"sqlite:///{name}" if option == "--ledger" else name
            source = [] if option == "--source" else ["--source", f"files:{ws.parent / 'posts'}"]
            assert no_fault(["init", str(ws.parent / "made"), *source, option, value]) in (0, 2, 3, 6), (option, name)
            shutil.rmtree(ws.parent / "made", ignore_errors=True)
        assert no_fault(["init", name, "--source", f"files:{ws.parent / 'posts'}"]) in (0, 2, 3, 6), name


@pytest.mark.parametrize("group", [[], ["backfill"], ["backfill", "request"], ["lake"]])
def test_a_command_that_is_missing_is_told_in_lines(capsys: pytest.CaptureFixture[str], group: list[str]):
    assert run(group) == 2
    said = capsys.readouterr().err
    assert "\\n" not in said
    assert any(line.strip() == "Commands:" for line in said.splitlines())
    assert "error: a command is missing" in said
    assert run([*group, "--json"]) == 2  # of a group that takes no --json that is what is wrong


@pytest.mark.parametrize("words", [None, "tradex ba"])
@pytest.mark.parametrize("number", [None, "x", "9" * 5_000])
def test_completions_that_no_shell_asks_for_are_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, words: str | None, number: str | None
):
    monkeypatch.setenv("_TRADEX_COMPLETE", "bash_complete")
    for name, value in (("COMP_WORDS", words), ("COMP_CWORD", number)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert run([]) in (0, 2)
