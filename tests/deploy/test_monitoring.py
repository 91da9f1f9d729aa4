"""The board and the alert rules ask for metrics that there are, and name commands that there are."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import worlds
from tests.deploy import parts
from tests.kit import small
from tradex_ledger.audit.look import Look
from tradex_ledger.audit.metrics import metrics

BOARD = parts.DEPLOY / "grafana" / "tradex.json"
RULES = parts.DEPLOY / "prometheus" / "tradex.rules.yml"
NAME = re.compile(r"\b(?:tradex|node)_[a-z_]+\b")
OTHERS = {"node_textfile_mtime_seconds"}
"""Of node-exporter."""
LABEL = re.compile(r"(\w+)(?:=~?|!=|!~)\"|by \(([\w, ]+)\)|\{\{ ?(?:\$labels\.)?(\w+) ?\}\}")


def board() -> Any:
    return json.loads(BOARD.read_text("utf-8"))


def rules() -> list[Any]:
    return [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]


def asked() -> Iterator[tuple[str, str]]:
    """Each expression, with all that is said around it."""
    for panel in board()["panels"]:
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]
    for rule in rules():
        yield rule["expr"], json.dumps(rule["annotations"])


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Each name that can be asked for, with the labels it has."""
    look = Look.open(worlds.copied(tmp_path_factory.mktemp("board")))
    found = {
        one.name + ("_total" if one.kind == "counter" else ""): {name for to, _ in one.samples for name, _ in to}
        for one in metrics(look, small.Ticking().now)
    }
    found["tradex_alerts_total"] |= {"alert"}  # of this world nobody had to hear
    for name in found:
        if name.startswith(("tradex_feed_", "tradex_mirror_")):
            found[name] |= {"name", "kind"}
        if name == "tradex_checkpoint_age_seconds":
            found[name] |= {"where"}
    return found


def test_each_expression_asks_for_metrics_that_there_are(known: dict[str, set[str]]):
    for expression, around in asked():
        names = set(NAME.findall(expression))
        assert names, expression
        assert names <= known.keys() | OTHERS, expression
        labels = {"file"}.union(*(known.get(name, set()) for name in names))
        used = {one for found in LABEL.findall(f"{expression} {around}") for text in found for one in text.split(", ")}
        assert used - {""} <= labels, (expression, around)
        assert expression.count("(") == expression.count(")")


def test_an_expression_that_asks_for_something_else_would_be_found(known: dict[str, set[str]]):
    assert not set(NAME.findall("rate(tradex_ledger_event_total[1h])")) <= known.keys()
    assert [found for found in LABEL.findall('x{state="FAILED"} {{layer}}')] == [("state", "", ""), ("", "", "layer")]


def test_all_that_goes_wrong_by_a_metric_is_on_the_board_or_in_a_rule(known: dict[str, set[str]]):
    said = {name for expression, _ in asked() for name in NAME.findall(expression)}
    beside = {  # what a person asks for who looks closer
        "tradex_ledger_last_event_age_seconds",
        "tradex_cursor_timestamp_seconds",
        "tradex_sealed_position",
        "tradex_feed_position",
        "tradex_mirror_position",
        *(f"tradex_dataset_{of}" for of in ("partitions", "bytes")),
        *(f"tradex_layer_{of}_total" for of in ("runs", "rows")),
        "tradex_source_future_rows",
    }
    assert known.keys() - said == beside


def test_each_rule_is_whole_and_names_a_command_that_there_is():
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert re.fullmatch(r"[0-9]+[smhd]", rule.get("for", "0s"))
        program, *words = shlex.split(rule["annotations"]["command"])
        assert program == "tradex"
        with parts.parse(words):
            pass


def test_the_board_is_one_that_fits_on_a_page():
    panels = board()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_the_file_that_is_written_is_the_one_that_is_watched():
    service = parts.unit(Path(parts.DEPLOY / "systemd" / "tradex-metrics.service"))["Service"]
    (command,) = service["ExecStart"]
    written = Path(shlex.split(command)[-1])
    assert service["ReadWritePaths"] == [str(written.parent)]
    assert service["UMask"] == ["0022"]  # another user reads it
    (stale,) = [rule["expr"] for rule in rules() if rule["alert"] == "TradexMetricsStale"]
    (pattern,) = re.findall(r'file=~"([^"]+)"', stale)
    assert re.fullmatch(pattern, str(written))
