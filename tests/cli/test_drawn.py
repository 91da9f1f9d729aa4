"""Tables on terminals of any width."""

from __future__ import annotations

import io

import pytest

from tradex_ledger.cli.drawn import beside, draw

ID, DAYS, WHY = "bf-1m8f6b9v6smyz", "2024-03-09..2024-03-14", "The X API was down from 12 to 14 March, INC-4211"
COLUMNS = ("run", "kind", "status", "range", "progress", "rows", "took", "by", "why")
LINES = [[ID, "temporal", "SUCCESS", DAYS, "57/57", "2194", "1.5 s", "root", WHY]] * 2
VALUES = [[ID, "temporal", "SUCCESS", DAYS, "57/57", 2194, "1.5 s", "root", WHY]] * 2
WIDTHS = (20, 40, 50, 60, 70, 80, 90, 100, 140, 200)


def drawn(monkeypatch: pytest.MonkeyPatch, width: int, *, whole: bool = False) -> tuple[list[str], list[str]]:
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    left_out = draw(COLUMNS, LINES, VALUES, "", whole, out)
    return out.getvalue().splitlines(), left_out


@pytest.mark.parametrize("width", WIDTHS)
def test_what_has_no_space_in_it_is_whole_and_what_is_left_out_is_named(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    lines, left_out = drawn(monkeypatch, width)
    text = "\n".join(lines)
    assert text.count(ID) == 2
    for name, told in zip(COLUMNS, LINES[0], strict=True):
        if name not in (*left_out, "why"):
            assert text.count(told) >= 2, name
    if lines[0].startswith("run ") and ID not in lines[0]:
        assert max(len(line.rstrip()) for line in lines) <= width
    if "why" not in left_out:
        assert {*" ".join(lines).split()} >= {*WHY.split()}


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_left_out_where_each_column_counts(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines, left_out = drawn(monkeypatch, width, whole=True)
    assert left_out == []
    assert {*" ".join(lines).split()} >= {*" ".join(LINES[0]).split(), *COLUMNS}


def test_who_why_and_when_stay_longer_than_what_it_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, 80)[1] == ["kind", "progress", "rows", "took"]
    assert drawn(monkeypatch, 200)[1] == []


def test_a_digest_is_told_by_its_beginning_but_where_each_character_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for whole, length in ((False, 12), (True, 64)):
        out = io.StringIO()
        draw(("digest",), [["0a" * 32]], [["0a" * 32]], "", whole, out)
        assert out.getvalue().split() == ["digest", ("0a" * 32)[:length]]


def test_a_table_of_nothing_has_its_headings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    assert draw(("run", "why"), [], [], "", False, out) == []
    assert out.getvalue().split() == ["run", "why"]


def test_what_draws_in_a_cell_is_spelled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    draw(("a\x1b[2J", "b"), [["[red]x[/red]\x1b[2J", "y"]], [["", ""]], "t\x1b[2J", False, out)
    assert "\x1b" not in out.getvalue()
    assert r"[red]x[/red]\x1b[2J" in out.getvalue()


def test_a_text_with_a_long_word_is_folded_and_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    word = "SHA256:6Bi5k+kfwH9iTPBE/5wl/Ssx2sMvkZXAeE0QdxZmiEU"
    out = io.StringIO()
    assert (
        draw(("position", "stream", "what"), [["436", ID, f"added {word} of maria"]], [[436, ID, ""]], "", False, out)
        == []
    )
    assert ID in out.getvalue()
    assert f"added{word}ofmaria" in "".join(line[28:].strip() for line in out.getvalue().splitlines()[1:]).replace(
        " ", ""
    )


def test_what_says_nothing_goes_first_and_what_rows_are_shown_for_last(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ("layer", "status", "rows", "error", "note")
    lines = [["gold", "FAILED", "12", "out of memory at a day", "-"], ["silver", "COMPLETED", "9", "-", "-"]]
    out = io.StringIO()
    monkeypatch.setenv("COLUMNS", "38")
    assert draw(columns, lines, lines, "", False, out) == ["rows", "note"]
    monkeypatch.setenv("COLUMNS", "24")
    out = io.StringIO()
    assert draw(columns, lines, lines, "", False, out) == [], "each row is a record"
    assert out.getvalue().startswith("layer   gold\nstatus  FAILED\n")
    spare = [[name, state, rows, "-", note] for name, state, rows, _, note in lines]
    out = io.StringIO()
    assert draw(columns, spare, spare, "", False, out) == ["error", "note"]


def test_facts_fold_at_words_and_stand_below_their_names_where_there_is_no_room() -> None:
    facts = {"run": ID, "reason": "the posts came in later", "digest": "0a" * 32}
    assert list(beside(facts, 40)) == [
        f"run     {ID}",
        "reason  the posts came in later",
        f"digest  {('0a' * 32)[:12]}",
    ]
    assert list(beside({"reason": facts["reason"]}, 26))[1] == "        later"
    assert list(beside({"a very long name of a fact": "the posts came in later"}, 30)) == [
        "a very long name of a fact",
        "  the posts came in later",
    ]
