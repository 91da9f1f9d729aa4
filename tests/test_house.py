"""The style of the house, held by tests: what the linters cannot say."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.kit.tree import PACKAGE, ROOT

LONGEST_MODULE = 300
LONGEST_FUNCTION = 50
MOST_TEXT_KEYS = 120
MOST_ANY = 80

# The boundary: here a clock or chance may enter, and is handed down as a value.
MAY_ASK_THE_WORLD = (
    "tradex_ledger/cli/",
    "tradex_ledger/clock.py",
    "tradex_ledger/config.py",
    "tradex_ledger/pipelines/x/demo",
    "tradex_ledger/workspace/",
)
THE_WORLD = re.compile(
    r"(^|\.)(datetime\.(now|utcnow|today)|date\.today|time\.(time|time_ns)|uuid[14])$|^(random|secrets)\."
)
MAY_PRINT = ("tradex_ledger/cli/show.py",)
ENTRY_POINTS = {"tradex_ledger", "tradex_ledger.cli.main", "tradex_ledger.dagster"}

# What is known of events is a projection (`projections/*.sql`), or a look-up of `ledger/ask.py`.
OVER_EVENTS = re.compile(r"\b(?:from|join)\s+(?:ledger_)?events\b(?!\.)", re.IGNORECASE)
MAY_ASK_THE_TABLE = "tradex_ledger/ledger/columnar.py"  # it makes the relation

MACHINE_PATH = re.compile(r"(?<![\w.:/~$}-])/(?:tmp|home|root|work|Users)/")
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|--(extra-)?index-url|\bfind-links\b")


@cache
def parsed() -> dict[str, ast.Module]:
    """Every module of the package, by its path from the root."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def nodes(*kinds: type[ast.AST]) -> Iterator[tuple[str, ast.AST]]:
    """Each node of these kinds, with the path of its module."""
    for path, tree in parsed().items():
        yield from ((path, node) for node in ast.walk(tree) if isinstance(node, kinds))


def module_name(path: str) -> str:
    """`tradex_ledger/lake/__init__.py` is `tradex_ledger.lake`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def none_of(findings: list[str]) -> None:
    assert not findings, "\n" + "\n".join(findings)


def test_no_module_is_longer_than_300_lines():
    lengths = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in parsed()}
    none_of([f"{path}: {n} lines" for path, n in lengths.items() if n > LONGEST_MODULE])


def test_no_function_is_longer_than_50_lines_without_its_docstring():
    findings = []
    for path, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef):
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        body = node.body[1:] if ast.get_docstring(node) else node.body
        length = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
        if length > LONGEST_FUNCTION:
            findings.append(f"{path}:{node.lineno} {node.name}: {length} lines")
    none_of(findings)


def mentioned_by(path: str, tree: ast.Module) -> Iterator[str]:
    """The dotted names a module imports; strings count, for commands that are loaded when asked for."""
    here = module_name(path).split(".")
    package = here if path.endswith("/__init__.py") else here[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.partition(":")[0]


def test_every_module_is_imported_by_another_or_is_an_entry_point():
    mentioned = {(module_name(path), name) for path, tree in parsed().items() for name in mentioned_by(path, tree)}
    alive = ENTRY_POINTS | {name for by, name in mentioned if by != name}
    dead = [
        path
        for path in parsed()
        if not path.endswith(("/__init__.py", "/__main__.py")) and module_name(path) not in alive
    ]
    none_of([f"{path}: nothing imports it" for path in dead])


STORAGES = {
    f"tradex_ledger.lake.{name}" for name in ("local", "folder", "cache", "s3", "s3_objects", "s3_store", "s3_profile")
}
LAKES_OWN = ("tradex_ledger/lake/", "tradex_ledger/config.py", "tradex_ledger/sources/s3_files.py")
"""The last has no lake: it asks for delivered files by the same client."""


def test_only_the_lake_knows_where_its_files_lie():
    """Everybody else asks the port: no other module knows a storage, or makes a path of what a lake is called."""
    outside = [path for path in parsed() if not path.startswith(LAKES_OWN)]
    findings = [
        f"{path} imports {name}" for path in outside for name in STORAGES & set(mentioned_by(path, parsed()[path]))
    ]
    for path, node in nodes(ast.Attribute, ast.Call):
        text = ast.unparse(node)
        names = re.fullmatch(r"(.*\b)?lake\.root", text) or re.fullmatch(r"Path\(.*\blake(\.name)?\b.*\)", text)
        if names and path in outside:
            findings.append(f"{path}:{getattr(node, 'lineno', 0)} {text}")
    none_of(findings)


def test_clock_and_chance_enter_only_at_the_boundary():
    none_of(
        [
            f"{path}:{node.lineno} {called}"
            for path, node in nodes(ast.Call)
            if isinstance(node, ast.Call)
            and THE_WORLD.search(called := ast.unparse(node.func))
            and not path.startswith(MAY_ASK_THE_WORLD)
        ]
    )


def test_only_show_prints():
    none_of(
        [
            f"{path}:{node.lineno} print"
            for path, node in nodes(ast.Call)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
            and path not in MAY_PRINT
        ]
    )


A_DAY_TURNED = re.compile(r"\b(toordinal|fromordinal)\(|719_?163|T00:00:00\.000000Z|\bdate\.fromisoformat\(")
"""A day on its way to another form. What a person typed is read as a date at the door of the shell and of a query."""
MAY_TURN_DAYS = ("tradex_ledger/domain/day.py", "tradex_ledger/cli/days.py", "tradex_ledger/audit/values.py")


def test_a_day_becomes_text_a_date_or_a_number_in_one_place():
    none_of(
        [
            f"{path}:{number} {line.strip()}"
            for path in parsed()
            if path not in MAY_TURN_DAYS
            for number, line in enumerate(lines_of(ROOT / path), start=1)
            if A_DAY_TURNED.search(line)
        ]
    )


def test_who_judges_a_deed_is_given_the_policy_that_it_is_judged_by():
    findings = []
    for path, node in nodes(ast.FunctionDef, ast.AsyncFunctionDef):
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        plain = [*node.args.posonlyargs, *node.args.args]
        with_default = [*plain[len(plain) - len(node.args.defaults) :]] if node.args.defaults else []
        named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        with_default += [arg for arg, default in named if default is not None]
        findings += [f"{path}:{node.lineno} {node.name}" for arg in with_default if arg.arg == "policy"]
    none_of(findings)


# A drive is told by its events, so what it works with stays as it was made; but these.
MAY_CHANGE = {
    "Catalog": "a run lays its own candidates over its copy",
    "Catalogs": "keeps the last catalog that was read",
    "_Newest": "a sink, filled while a file is read",
    "Staged": "counts task after task",
    "Append": "goes on window by window, and again from the first",
    "Rebuild": "goes on window by window",
    "Delivered": "a cache of what was read",
    "KeyIndex": "a cache of what was read",
}


def test_what_plans_and_drives_is_frozen_but_for_what_runs_its_course():
    found = {}
    for path, node in nodes(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        if path.startswith(("tradex_ledger/planning/", "tradex_ledger/driving/")):
            made = [ast.unparse(one) for one in node.decorator_list]
            if any(one.startswith("dataclass") and "frozen=True" not in one for one in made):
                found[node.name] = path
    assert found.keys() == MAY_CHANGE.keys(), found


def is_blanket(handler: ast.ExceptHandler) -> bool:
    """Catches everything; only `except BaseException` that ends in a bare `raise` is a clean-up."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {ast.unparse(kind).removeprefix("builtins.") if kind else "" for kind in kinds}
    last = handler.body[-1]
    if names == {"BaseException"}:
        return not (isinstance(last, ast.Raise) and last.exc is None)
    return bool(names & {"", "Exception", "BaseException"})


def test_nothing_catches_everything():
    none_of(
        [
            f"{path}:{node.lineno} {ast.unparse(node).splitlines()[0]}"
            for path, node in nodes(ast.ExceptHandler)
            if isinstance(node, ast.ExceptHandler) and is_blanket(node)
        ]
    )


def test_few_values_are_read_by_a_key_in_quotes():
    """What has names is a value with a type; a document from outside, or an event's facts, is taken apart once."""
    found = [
        f"{path}:{node.lineno} {ast.unparse(node)}"
        for path, node in nodes(ast.Subscript)
        if isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    ]
    assert len(found) <= MOST_TEXT_KEYS, f"{len(found)} of at most {MOST_TEXT_KEYS}:\n" + "\n".join(found)


def test_few_things_are_of_any_type():
    """`Any` is for what another's interface leaves open; JSON and TOML from outside have types of their own."""
    found = [
        f"{path}:{node.lineno}"
        for path, node in nodes(ast.Name, ast.Attribute)
        if (isinstance(node, ast.Name) and node.id == "Any") or (isinstance(node, ast.Attribute) and node.attr == "Any")
    ]
    assert len(found) <= MOST_ANY, f"{len(found)} of at most {MOST_ANY}:\n" + "\n".join(found)


def test_every_type_ignore_names_its_code_and_its_reason():
    findings = []
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        with path.open("rb") as file:
            findings += [
                f"{path.relative_to(ROOT)}:{token.start[0]} {token.string}"
                for token in tokenize.tokenize(file.readline)
                if token.type == tokenize.COMMENT and re.search(r"type:\s*ignore(?!\[[\w-]+\]\s+#\s+\S)", token.string)
            ]
    none_of(findings)


def test_no_module_asks_the_events_but_through_a_projection_or_the_ledger():
    none_of(
        [
            f"{path}:{node.lineno} {found[0]}"
            for path, node in nodes(ast.Constant)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and (found := OVER_EVENTS.search(node.value))
            and not path.startswith(MAY_ASK_THE_TABLE)
        ]
    )


def tracked() -> list[Path]:
    """The files git holds; skips where there is no git or no checkout (an unpacked sdist)."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def lines_of(path: Path) -> list[str]:
    """The lines of a text file; a binary one has none."""
    try:
        return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    except UnicodeDecodeError:
        return []


def test_no_file_names_a_place_on_a_machine_or_a_registry():
    findings = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()[:100]}"
        for path in tracked()
        if path != Path(__file__).resolve()
        for number, line in enumerate(lines_of(path), start=1)
        if MACHINE_PATH.search(line) or REGISTRY.search(line)
    ]
    none_of(findings)


TOP = {"cli.py", "Makefile", "LICENSE", "pyproject.toml"}
TOP_FOLDERS = {
    *("tradex_ledger", "projections", "tests", "schema", "docs", "examples", "deploy", "requirements"),
    *(".ci", ".github"),
}


def test_at_the_root_stands_what_belongs_there_and_nothing_that_a_trial_left():
    top = {path.relative_to(ROOT).parts for path in tracked()}
    folders, files = {parts[0] for parts in top if len(parts) > 1}, {parts[0] for parts in top if len(parts) == 1}
    assert folders <= TOP_FOLDERS
    assert {name for name in files - TOP if not name.startswith(".") and not name.endswith(".md")} == set()


# -- tests as a house

# Suites for a way of trying, not for a room of the package, and what they are given.
OF_THE_WHOLE = {
    "attacks",
    "benchmarks",
    "crash",
    "deploy",
    "fixtures",
    "foreign",
    "golden",
    "kit",
    "pages",
    "machine",
    "stories",
}


def imports_of_tests(path: Path) -> Iterator[str]:
    """The modules below `tests` that a file of it imports, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("tests."))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tests":
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


def files_of_tests() -> list[Path]:
    """What is in the house of tests; a fixture's recipe speaks to the code of its time."""
    return [path for path in sorted((ROOT / "tests").rglob("*.py")) if "fixtures" not in path.parts]


def test_no_test_imports_from_a_test():
    none_of(
        [
            f"{path.relative_to(ROOT)}: {name}; what tests share stands in tests/kit"
            for path in files_of_tests()
            for name in imports_of_tests(path)
            if any(part.startswith(("test_", "conftest")) for part in name.split("."))
        ]
    )


def test_what_tests_share_knows_no_room_of_tests():
    none_of(
        [
            f"{path.relative_to(ROOT)}: {name}"
            for path in files_of_tests()
            for name in imports_of_tests(path)
            if path.parent.name == "kit" and not name.startswith("tests.kit")
        ]
    )


def test_the_rooms_of_tests_are_those_of_the_package():
    rooms = {path.parent.relative_to(ROOT / "tests").as_posix() for path in files_of_tests()}
    none_of(
        [
            f"tests/{room}: there is no tradex_ledger/{room}"
            for room in sorted(rooms)
            if room.split("/")[0] not in OF_THE_WHOLE and not (PACKAGE / room).is_dir()
        ]
    )


def test_nothing_but_its_own_rooms_knows_of_x():
    rooms = ("tradex_ledger/pipelines/", "tradex_ledger/sources/x_api/", "tradex_ledger/sources/x_posts/")
    own = (*rooms, "tradex_ledger/sources/registry.py")
    known = re.compile(r"x_posts|post_id|tweet|cashtag|twitter", re.IGNORECASE)
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in parsed() if not path.startswith(own)}
    none_of([f"{path}: {found[0]}" for path, text in texts.items() if (found := known.search(text))])
    named = re.compile(r"""["']x["']""")
    none_of(
        [
            path
            for path, text in texts.items()
            if named.search(text) and not path.endswith(("datasets/built_in.py", "/extras.py"))
        ]
    )
