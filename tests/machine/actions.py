"""What may happen to the workspace: each action, how often, and what it is told."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.kit.faults import fault, sudden_death
from tests.machine.driver import DAYS

KINDS = ("temporal", "dataset", "logical", "forced")
DATASETS = ("bronze_x_posts", "silver_social_events", "gold_metrics", "gold_signals")
DECISIONS = ("pause", "resume", "cancel", "release", "reject")

picks = st.integers(0, 9)
crashes = st.one_of(st.none(), st.tuples(st.integers(1, 40), st.booleans(), st.sampled_from((sudden_death, fault))))

# The first of everything is what Hypothesis tries most.
WEIGHTS: dict[str, tuple[int, dict[str, st.SearchStrategy[Any]]]] = {
    "request": (
        6,
        {
            "kind": st.sampled_from(KINDS),
            "dataset": st.sampled_from(DATASETS),
            "first": st.integers(1, DAYS),
            "length": st.integers(0, 2),
            "by": st.sampled_from(("ana", "maria")),
            "review": st.sampled_from((False, False, True)),
            "override": st.booleans(),
            "wrong": st.integers(0, 5),
            "cursor": st.integers(1, DAYS + 1),
            "further": st.sampled_from((2, 2, 2, 1, 0)),  # 1: approved at once, 2: and driven
            "crash": crashes,
        },
    ),
    "run": (3, {"until": st.integers(3, DAYS + 2), "crash": crashes}),
    "late_post": (2, {}),
    "approve": (2, {"number": picks, "by": st.sampled_from(("ana", "maria", "Ana "))}),
    "drive": (4, {"number": picks, "crash": crashes}),
    "decide": (3, {"number": picks, "decision": st.sampled_from(DECISIONS)}),
    "revert": (4, {"number": picks}),
    "bump": (1, {}),
    "rebuild_everything": (1, {}),
}


def _told(name: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(name), st.fixed_dictionaries(WEIGHTS[name][1]))


# One strategy over weighted names: with a rule each, Hypothesis leaves whole rules out of an example.
actions = st.sampled_from([name for name, (weight, _) in WEIGHTS.items() for _ in range(weight)]).flatmap(_told)
