"""README.md, CONTRIBUTING.md and the worked examples: what they say to type is typed, from the first to the last."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.kit.examples import Stage, blocks, words
from tests.kit.february import Staged, deliver, one_process
from tests.kit.tree import ROOT

README = "README.md"


def targets(stage: Stage) -> None:
    """A block of `make`: each names a target that there is."""
    text = (ROOT / "Makefile").read_text("utf-8")
    for command in stage.take():
        assert re.search(rf"^{command.split()[1]}:", text, re.M), command


def test_the_readme(staged: Staged):
    stage = staged(README, "none")
    targets(stage)
    stage.meant |= {"2014-01-01": "2014-02-01", "2014-01-31": "2014-02-11", "2014-02-28": "2014-02-11"}
    deliver(stage.folder / "posts", (1, 2), (9, 11))
    first, run, status, _serve, ask = stage.take()
    stage.play(first.replace("--source", "--pipeline pipeline --source"))  # as the page says below: to edit definitions
    one_process(stage.folder / "ws")
    for command in (f"{run.partition('#')[0]} --to 2014-02-28", status, ask):
        stage.play(command)
    deliver(stage.folder / "posts", (3, 8))
    dry, again, *rest = stage.take()
    stage.play(dry)
    assert words(again) == [*words(dry)[:6], "…"]
    for command in (dry.replace("--dry-run", ""), *rest):
        stage.play(command)
    definition = Path("ws", "pipeline", "gold_signals.sql")
    definition.write_text(definition.read_text("utf-8").replace("z >= 3 and", "z >= 4 and"), "utf-8")
    preview, bump, request, old, changed, deprecate = stage.take()
    for command in (preview, bump, request):
        stage.play(command)
    for command in ("approve bf-… --as maria", "run bf-…"):
        stage.play(f"tradex -C ws backfill {command}")
    stage.play(old)
    stage.play(changed, 3)  # nothing has changed since
    stage.play(deprecate)
    (python,) = blocks(README, "python")
    names: dict[str, object] = {}
    exec(compile(python.text.replace("2, 28", "2, 12"), README, "exec"), names)
    assert str(names["run"]) and names["frame"] is not None and names["day"] is not None


def test_contributing(staged: Staged):
    targets(staged("CONTRIBUTING.md", "none"))


def test_trades(staged: Staged):
    stage = staged("examples/trades/README.md", "none")
    for name in ("pipeline", "deliveries"):
        shutil.copytree(ROOT / "examples" / "trades" / name, name)
    copied, made, *rest = stage.take()
    stage.play(copied)
    stage.play(made)
    one_process(Path("ws"))
    for command in rest:
        stage.play(command)
    assert "industry" in stage.block()
    definition = Path("ws", "pipeline", "gold_sector_turnover.sql")
    text = definition.read_text("utf-8")
    definition.write_text(text.replace("sum(price * quantity)", "sum(price * quantity * 0.999)"), "utf-8")
    stage.block()
