"""The versions that an environment is made of.

python requirements/pins.py renew       # make constraints.txt and oldest.txt anew: `make constraints`
python requirements/pins.py versions    # say which versions of the direct dependencies this Python has
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
HEADS = {
    "constraints": "The versions that `make` installs: the newest that pyproject.toml allowed when this was written.",
    "oldest": "The versions that `make oldest` installs: the lower bounds of pyproject.toml, and what came with them.",
}
AGAIN = "Only `make constraints` writes this file; it holds name==version and nothing else."
# What hatchling needs beside itself, it says only when it is asked.
ASK = "import hatchling.build as b; print(*b.get_requires_for_build_editable(), *b.get_requires_for_build_wheel())"


def direct() -> list[str]:
    """What pyproject.toml asks for: to run, to develop, and to build."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = content["project"]
    return [
        *project["dependencies"],
        *(wanted for extra in project["optional-dependencies"].values() for wanted in extra),
        *content["build-system"]["requires"],
    ]


def name_of(requirement: str) -> str:
    """`sqlalchemy>=2.1,<2.2` asks for sqlalchemy."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    if found is None:
        raise SystemExit(f"error: {requirement!r} names nothing\nmend: write NAME>=VERSION in pyproject.toml")
    return found[0]


def lowest(requirement: str) -> str:
    """`sqlalchemy>=2.1,<2.2` allows sqlalchemy==2.1 at least."""
    found = re.search(r">=\s*([0-9][^,;\s]*)", requirement)
    if found is None:
        raise SystemExit(f"error: {requirement!r} has no lower bound\nmend: write NAME>=VERSION in pyproject.toml")
    return f"{name_of(requirement)}=={found[1]}"


def resolved(wanted: list[str], room: Path) -> list[str]:
    """What a fresh environment holds once it has what is wanted, as name==version."""
    venv.create(room, with_pip=True)
    pip = [str(room / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", *wanted], check=True)
    asked = subprocess.run([pip[0], "-c", ASK], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    if asked:
        subprocess.run([*pip, "install", "--quiet", *wanted, *asked], check=True)
    listed = subprocess.run([*pip, "freeze"], check=True, capture_output=True, text=True)
    return sorted(listed.stdout.split(), key=str.lower)


def check_pythons(pins: Path, room: Path) -> None:
    """See that there is a wheel of each pin for each Python, on a machine like this one."""
    for python in PYTHONS:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--no-deps", "--only-binary", ":all:", "--python-version", python]
        subprocess.run([*command, "--target", str(room / python), "--requirement", str(pins)], check=True)


def renew() -> None:
    """Make both files anew; the old ones stay as they are if anything fails."""
    wanted = {"constraints": direct(), "oldest": [lowest(requirement) for requirement in direct()]}
    with tempfile.TemporaryDirectory() as folder:
        made = {}
        for name, requirements in wanted.items():
            print(f"{name}: resolving", flush=True)
            pins = resolved(requirements, Path(folder, name))
            made[name] = Path(folder, f"{name}.txt")
            made[name].write_text("\n".join([f"# {HEADS[name]}", f"# {AGAIN}", *pins, ""]), encoding="utf-8")
        print(f"constraints: looking for wheels for Python {', '.join(PYTHONS)}", flush=True)
        check_pythons(made["constraints"], Path(folder))
        for name, path in made.items():
            (HERE / f"{name}.txt").write_text(path.read_text(encoding="utf-8"), encoding="utf-8")


def versions() -> None:
    """Print the versions of the direct dependencies in this environment, one a line."""
    print(f"python {sys.version.split()[0]}")
    built_with = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    for requirement in direct():
        if requirement not in built_with:  # these live only as long as a build
            print(name_of(requirement), version(name_of(requirement)))


if __name__ == "__main__":
    commands = {"renew": renew, "versions": versions}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        raise SystemExit(f"error: one of {', '.join(commands)} is needed\nmend: python requirements/pins.py versions")
    commands[sys.argv[1]]()
