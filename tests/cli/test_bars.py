"""What goes on, on a terminal: what is said meanwhile stays on the screen, and who is quiet for long says at what."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.kit.terminal import Screen
from tradex_ledger.cli.bars import MOST, QUIET_S, Bars
from tradex_ledger.cli.show import Show
from tradex_ledger.cli.stages import Look, Stage, cells, drawn, waiting

RUN = "bf-1m8fhj6eyj34z"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    return Screen()


class Clock:
    """A moment, until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(terminal: Screen, clock: Clock) -> Iterator[Bars]:
    bars = Bars(clock)
    with bars.until_the_end():
        bars.watch(terminal, "audit verify", "hash everything again")
        yield bars


def seen(screen: Screen, text: str) -> bool:
    """Whether it comes onto the screen within a second; the thread that draws has its own clock."""
    for _ in range(100):
        if any(text in line for line in screen.lines()):
            return True
        time.sleep(0.01)
    return False


def test_what_is_said_among_bars_stays_on_the_screen(terminal: Screen):
    show = Show(as_json=False, out=terminal.beside(), err=terminal)
    with show.progress() as progress:
        for step in ("first", "second"):
            for stage in ("read", "append", "publish"):
                progress(stage, 1, 1)
            show.line(f"== {step}")
            Show(as_json=False, out=terminal.beside(), err=terminal).table([{"run": f"run-{step}"}], ["run"])
        progress("gold", 1, 1)
    screen = [line.split(" ")[0] if "━" in line else line.strip() for line in terminal.lines()]
    one, other = (["read", "append", "publish", f"== {step}", "run", f"run-{step}"] for step in ("first", "second"))
    assert [line for line in screen if line] == [*one, *other, "gold"]


def test_the_newest_bars_are_those_that_are_drawn(terminal: Screen):
    with Show(as_json=False, out=terminal.beside(), err=terminal).progress() as progress:
        for page in range(1, 101):
            progress(f"page {page}", page, page)
    drawn_now = [line.split("  ")[0] for line in terminal.lines() if "━" in line]
    assert drawn_now == [f"page {page}" for page in range(101 - MOST, 101)]


def test_a_run_is_one_display_which_it_heads_whatever_is_noted_meanwhile(terminal: Screen):
    show = Show(as_json=False, out=terminal.beside(), err=terminal)
    with show.progress() as progress:
        progress(RUN, 0, 4)
        progress("silver", 1, 2)
        show.warning("half the posts that day")
        progress("silver", 2, 2)
        progress(RUN, 2, 4)
        show.note("the clock is near the end of the hour")
        progress("gold", 2, 2)
        progress(RUN, 4, 4)
    lines = [" ".join(line.split()[:4]) for line in terminal.lines() if line]
    assert lines[:2] == ["warning: half the posts", "the clock is near"]
    assert lines[2] == f"{RUN} 4 of 4"
    assert [line.split()[0] for line in lines[3:]] == ["silver", "gold"]


def test_two_runs_are_two_displays(terminal: Screen):
    with Show(as_json=False, out=terminal.beside(), err=terminal).progress() as progress:
        for run in ("run-1", "run-2"):
            progress(run, 0, 1)
            progress("gold", 1, 1)
            progress(run, 1, 1)
    assert [line.split()[0] for line in terminal.lines() if line] == ["run-1", "gold", "run-2", "gold"]


def test_in_a_pipe_each_run_and_each_stage_that_is_done_is_a_line():
    err = Screen(is_terminal=False)
    with Show(as_json=False, out=err.beside(), err=err).progress() as progress:
        for done in (0, 1, 2):
            progress(RUN, done, 2)
            progress("gold", done, 2)
    assert err.getvalue() == f"{RUN}: 2 partitions\ngold: 2 of 2\n"


def test_who_is_quiet_for_long_says_at_what_and_leaves_no_trace(watched: Bars, terminal: Screen, clock: Clock):
    assert not seen(terminal, "hash everything")
    clock.now += QUIET_S
    assert seen(terminal, "audit verify: hash everything again … 0 s")
    clock.now += 3
    watched.doing("the files of the lake")
    assert seen(terminal, "audit verify: the files of the lake … 3 s")
    watched.end()
    assert not any(terminal.lines())


def test_where_nothing_can_be_drawn_over_it_is_said_once(terminal: Screen, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "dumb")
    clock = Clock()
    bars = Bars(clock)
    with bars.until_the_end():
        bars.watch(terminal, "demo", "the whole story")
        clock.now += QUIET_S
        assert seen(terminal, "demo: the whole story ...")
        clock.now += 9
        time.sleep(0.3)
    assert terminal.getvalue() == "demo: the whole story ...\n"


def test_nothing_is_drawn_while_somebody_else_has_the_terminal(watched: Bars, terminal: Screen, clock: Clock):
    with watched.rest():
        clock.now += 9
        time.sleep(0.3)
        assert terminal.getvalue() == ""
    clock.now += QUIET_S
    assert seen(terminal, "audit verify")


STAGES = [("read 33 files", 33, 33), ("append to bronze_x_posts__rejected", 1, 1), ("gold_baselines", 12, 22)]


@pytest.mark.parametrize("width", [100, 80, 40, 20])
@pytest.mark.parametrize("is_unicode", [True, False])
def test_no_line_is_wider_than_the_terminal_and_each_says_how_far_it_is(width: int, is_unicode: bool):
    run = Stage(RUN, 0, 0, 0, 0, 0, 57)
    stages = [Stage(name, 0, 0, 0, 0, 0, total) for name, _, total in STAGES]
    run.tell(12, 57, 4)
    for stage, (_, done, total) in zip(stages, STAGES, strict=True):
        stage.tell(done, total, 4)
    head, *lines = drawn(run, stages, 5, Look(width, is_unicode=is_unicode))
    assert head.startswith(RUN)
    assert ("about 0:14 left" in head) == (width >= 40)
    assert [line.split()[-1 if width < 80 else -2].split("/")[0] for line in lines[:2]] == ["33", "1"]
    assert "12/22" in lines[2]
    assert all(cells(line) <= width for line in (head, *lines))
    assert all(line.isascii() for line in (head, *lines)) == (not is_unicode)


def test_what_is_left_follows_from_the_pace_since_something_was_done():
    stage = Stage("gold", 0, 0, 0, 0, 0, 10)
    assert stage.left_s(60) is None
    stage.tell(0, 10, 100)  # it waited so long for something else
    stage.tell(2, 10, 104)
    assert stage.left_s(104) == 16
    assert stage.left_s(110) == 10
    assert stage.left_s(1000) == 0
    stage.tell(10, 10, 120)
    assert stage.left_s(121) is None


def test_what_is_drawn_draws_nothing_else_and_tells_no_password():
    hostile = Stage("read \x1b[2J postgresql://me:secret@host/db", 0, 0, 0, 0, 1, 1)
    (line,) = drawn(None, [hostile], 1, Look(120))
    assert "\\x1b[2J" in line
    assert "secret" not in line
    assert "\x1b" not in waiting("\x1b]0;owned\x07", 1, Look(80))


def test_colours_are_not_for_who_wants_none():
    assert "\x1b[32m" in drawn(None, [Stage("gold", 0, 0, 0, 0, 1, 1)], 1, Look(80, in_colour=True))[0]
    assert "\x1b" not in drawn(None, [Stage("gold", 0, 0, 0, 0, 1, 1)], 1, Look(80))[0]
