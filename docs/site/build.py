"""The site: pages and the reference laid out in a folder, then made into HTML by Sphinx.

python docs/site/build.py OUT      # `make docs`; every block that is played and the notebook are run on the way
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(ROOT)]
PAGES = ("*.md", "docs/*.md", "docs/tasks/*.md", "docs/*.ipynb", "deploy/README.md", "examples/*/README.md")
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")
MORE = ("schema/evidence/VERIFY.md", "tests/benchmarks/README.md")


def linked(page: Path) -> list[Path]:
    """The files that a page links to and that are no pages."""
    named = (path for path, _ in LINK.findall(page.read_text(encoding="utf-8")))
    files = ((page.parent / name).resolve() for name in named)
    return [file for file in files if file.is_file() and file.suffix not in {".md", ".ipynb"} and ROOT in file.parents]


def lay_out(source: Path) -> None:
    """All that Sphinx reads, in the places that links between the pages expect."""
    from reference import write_reference

    for pattern in (*PAGES, *MORE):
        for page in sorted(ROOT.glob(pattern)):
            to = source / page.relative_to(ROOT)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, to)
            for beside in linked(page):  # what is no page can be had from the site
                place = source / beside.relative_to(ROOT)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(beside, place)
    shutil.copyfile(HERE / "conf.py", source / "conf.py")
    shutil.copyfile(HERE / "index.md", source / "index.md")
    write_reference(source / "reference")


def build(out: Path, source: Path) -> int:
    """Make the site; returns Sphinx's exit status. A warning is an error: a dead link, a block that fails."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.rmtree(out, ignore_errors=True)
    lay_out(source)
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-j",
        "2",
        "-b",
        "html",
        str(source),
        str(out),
    ]
    paths = os.pathsep.join([str(HERE), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory(prefix="played-") as rooms:
        environment = {**os.environ, "PYTHONPATH": paths, "PLAYED_ROOMS": rooms}
        return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = Path(sys.argv[1]).resolve()
    sys.exit(build(target, target.with_name(target.name + "-source")))
