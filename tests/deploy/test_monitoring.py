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
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.deploy import parts, promql
from tests.feeds import told
from tests.kit import mirrored, small
from tradex_ledger.audit.openmetrics import render

BOARD = parts.DEPLOY / "grafana" / "tradex.json"
RULES = parts.DEPLOY / "prometheus" / "tradex.rules.yml"
OTHERS: dict[str, dict[str, set[str]]] = {"node_textfile_mtime_seconds": {"file": set()}}
"""Of node-exporter."""
SAID = re.compile(r"\{\{ ?(?:\$labels\.)?([a-z]\w*) ?\}\}")


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
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, set[str]]]:
    """Each name that can be asked for, as `tradex metrics` prints it, with the labels it has and their values there.

    The workspace has all that is told of: feeds, mirrors, alerts, heads.
    """
    ws = told.copied(tmp_path_factory.mktemp("board"))
    mirrored.name_mirrors(ws)
    told.feed(ws, "lineage", "file:lineage.jsonl")
    with small.reopen(ws) as workspace:
        look = workspace.audit.look
        text = render(look.metrics(now=workspace.core.clock(), mirrors=workspace.mirrors.all()))
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(text):
        found.setdefault(family.name + ("_total" if family.type == "counter" else ""), {})
        for sample in family.samples:
            for label, value in sample.labels.items():
                found[sample.name].setdefault(label, set()).add(value)
    return found


def problems(known: dict[str, dict[str, set[str]]], expression: str, around: str = "") -> list[str]:
    """What an expression asks for that there is not: names, labels of the very metric that they are asked of (by a
    selector, or by an aggregation over it), values of labels; and what is said around it of labels that are left."""
    asked = promql.parse(expression)
    found = [f"no metric {name}" for name in asked.names if name not in known.keys() | OTHERS.keys()]
    left: set[str] = set()
    for selector in asked.selectors:
        labels = {**OTHERS, **known}.get(selector.name, {})
        found += [f"{selector.name} has no label {label}" for label, _, _ in selector.matchers if label not in labels]
        found += [
            f"{selector.name} never has {label}={value}"
            for label, operator, value in selector.matchers
            if operator == "=" and value not in labels.get(label, {value})
        ]
        found += [
            f"{selector.name} has no label {label} to go by" for label in selector.by or () if label not in labels
        ]
        left |= labels.keys() if selector.by is None else set(selector.by)
    found += [f"{label} is not left to be said" for label in set(SAID.findall(around)) - left]
    return found


def test_each_expression_asks_for_metrics_and_labels_that_there_are(known: dict[str, dict[str, set[str]]]):
    for expression, around in asked():
        assert promql.parse(expression).selectors, expression
        assert problems(known, expression, around) == [], expression


@pytest.mark.parametrize(
    ("expression", "around", "problem"),
    [
        ("rate(tradex_ledger_event_total[1h])", "", "no metric tradex_ledger_event_total"),
        ("tradex_ledger_events > 0", "", "no metric tradex_ledger_events"),
        ('sum(tradex_runs{state="FAILED"})', "", "tradex_runs has no label state"),
        ('sum(tradex_runs{status="FAILLED"})', "", "tradex_runs never has status=FAILLED"),
        ("sum by (layer) (tradex_runs)", "", "tradex_runs has no label layer to go by"),
        ("sum(tradex_runs) by (layer)", "", "tradex_runs has no label layer to go by"),
        ("sum by (kind) (tradex_runs) > 0", "{{ $labels.status }}", "status is not left to be said"),
        ("sum(tradex_runs)", "{{kind}}", "kind is not left to be said"),
        ('tradex_runs_late > 0 or tradex_feed_failing{layer="x"}', "", "tradex_feed_failing has no label layer"),
    ],
)
def test_an_expression_that_asks_for_something_else_is_found(
    known: dict[str, dict[str, set[str]]], expression: str, around: str, problem: str
):
    assert problems(known, expression, around) == [problem]


def test_a_metric_that_is_called_otherwise_is_missed(known: dict[str, dict[str, set[str]]]):
    for name in {one.name for expression, _ in asked() for one in promql.parse(expression).selectors} - OTHERS.keys():
        others = {other: labels for other, labels in known.items() if other != name} | {f"{name}_now": known[name]}
        assert [text for expression, _ in asked() for text in problems(others, expression)], name


def test_all_that_goes_wrong_by_a_metric_is_on_the_board_or_in_a_rule(known: dict[str, dict[str, set[str]]]):
    said = {name for expression, _ in asked() for name in promql.parse(expression).names}
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
