"""Each code has one meaning, on record in `schema/codes.csv`; codes are only ever added."""

from __future__ import annotations

import ast
import csv
import importlib
import pkgutil
import sys
from contextlib import suppress
from pathlib import Path

import tradex_ledger
from tradex_ledger.errors import TradexError
from tradex_ledger.extras import MissingExtraError

ROOT = Path(tradex_ledger.__file__).parents[1]
CODES = ROOT / "schema" / "codes.csv"

# Several classes, one meaning: told apart by their sentences only.
ONE_MEANING = {
    "engine-not-refused": 2,
    "expired": 3,
    "ledger-behind": 2,
    "self-approval": 3,
    "state-protected": 2,
    "ticket": 2,
    "unknown-database": 2,
}


def _lacks_an_extra(module: str) -> None:
    """A room whose packages are not installed is passed over, whatever else goes wrong is not."""
    assert isinstance(sys.exception(), MissingExtraError), module


def _classes() -> list[type[TradexError]]:
    for module in pkgutil.walk_packages(tradex_ledger.__path__, "tradex_ledger.", onerror=_lacks_an_extra):
        with suppress(MissingExtraError):
            importlib.import_module(module.name)
    found: list[type[TradexError]] = [TradexError]
    for cls in found:
        found += [one for one in cls.__subclasses__() if one.__module__.startswith("tradex_ledger.")]
    return found


def _given() -> list[tuple[str, str]]:
    """The (class, code) of each call in the package that gives a code of its own."""
    found = []
    for file in sorted((ROOT / "tradex_ledger").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                codes = [
                    one.value
                    for word in node.keywords
                    if word.arg == "code"
                    for one in ast.walk(word.value)
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                ]
                found += [(node.func.id, code) for code in codes]
    return found


def _on_record() -> dict[str, tuple[int, str]]:
    with CODES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["code"] for row in rows] == sorted({row["code"] for row in rows})
    return {row["code"]: (int(row["exit_status"]), row["meaning"]) for row in rows}


def test_every_code_is_on_record_with_its_exit_status_and_what_it_means():
    classes = {cls.__name__: cls for cls in _classes()}
    used = {cls.code: cls.exit_status for cls in classes.values()}
    used |= {code: classes[name].exit_status for name, code in _given() if name in classes}
    recorded = _on_record()
    assert used == {code: recorded.get(code, (None, ""))[0] for code in used}
    assert all(meaning.strip() for _, meaning in recorded.values())


def test_a_code_means_one_thing():
    own: dict[str, list[str]] = {}
    for cls in _classes():
        if "code" in vars(cls):
            own.setdefault(cls.code, []).append(cls.__name__)
    several = {code: names for code, names in own.items() if len(names) > ONE_MEANING.get(code, 1)}
    assert several == {}
