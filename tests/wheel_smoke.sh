#!/usr/bin/env bash
# The wheel as a stranger meets it: built from the sdist (so that lacks nothing either), installed in a fresh environment, used from another folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$(cd "$(dirname "${PYTHON:-.venv/bin/python}")" && pwd)/$(basename "${PYTHON:-.venv/bin/python}")

room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT

"$python" -m build --outdir "$room/dist" . >"$room/build.log" 2>&1 || { cat "$room/build.log" >&2; exit 1; }
wheel=$(echo "$room"/dist/*.whl)

"$python" - "$wheel" <<'PY'
import pathlib, sys, zipfile

names = set(zipfile.ZipFile(sys.argv[1]).namelist())
top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
assert top == {"tradex_ledger"}, f"top-level names in the wheel: {sorted(top)}"
files = [path for folder in ("tradex_ledger", "schema", "projections") for path in pathlib.Path(folder).rglob("*")]
wanted = {str(path) for path in files if path.is_file() and "__pycache__" not in path.parts}
carried = {name if name.startswith("tradex_ledger/") else f"tradex_ledger/{name}" for name in wanted}
assert carried <= names, f"not in the wheel: {sorted(carried - names)}"
print(f"wheel: {len(names)} files, all of tradex_ledger, schema and projections among them")
PY

"$python" -m venv "$room/venv"
"$room/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel"

mkdir "$room/elsewhere"
cd "$room/elsewhere"
unset PYTHONPATH TRADEX_WORKSPACE
"$room/venv/bin/tradex" --version
"$room/venv/bin/tradex" --help >help.txt
grep -q backfill help.txt
"$room/venv/bin/tradex" demo </dev/null >demo.txt 2>demo.err || { cat demo.txt demo.err >&2; exit 1; }
"$room/venv/bin/tradex" -C tradex-demo serve </dev/null >address.txt 2>serve.err &
page=$!
trap 'kill "$page" 2>/dev/null || true; rm -rf "$room"' EXIT
"$room/venv/bin/python" - <<'PY' || { cat address.txt serve.err >&2; exit 1; }
import http.cookiejar, pathlib, time, urllib.request

until, told = time.monotonic() + 60, ""
while not told.endswith("\n") and time.monotonic() < until:
    time.sleep(0.1)
    told = pathlib.Path("address.txt").read_text()
address = told.split()[-1]
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
root = address.partition("/?")[0]
for path, wanted in (
    (address, "<h1>"),
    (f"{root}/static/tradex.css", ":root"),
    (f"{root}/static/tradex.js", "use strict"),
    (f"{root}/runs", "<h1>Runs"),
):
    assert wanted in browser.open(path, timeout=60).read().decode(), path
PY
kill "$page"
wait "$page" || { ended=$?; test $ended = 143 || { echo "ended by $ended" >&2; cat serve.err >&2; exit 1; }; }
echo "wheel: --version, --help, demo and serve run from another folder"
