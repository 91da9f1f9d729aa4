#!/bin/sh
# Replaces the program of a deployment that runs, and starts it again:
#
#   upgrade.sh -C WS --package WHAT --backup FILE --as NAME [--owner USER] [--stop COMMAND] [--start COMMAND]
#
# 1. a backup of the ledger into FILE, where there is none yet   2. COMMAND stops workers (SIGTERM: what they drive stays
# open in the ledger)   3. pip installs WHAT (a wheel, `tradex-ledger[postgres,s3]==…`)   4. the new program looks at
# ledger and lake   5. in PostgreSQL the owner of the database (--owner) says who may do what there, since a release may
# bring guards   6. COMMAND starts workers, which resume.
# Each step does no harm twice: cut off anywhere, the same call goes on. Where a step fails, workers stay stopped, and it
# says how to go on and how to go back. What an upgrade asks of definitions is in docs/upgrading.md.
# PYTHON names the Python of the environment, TRADEX the program in it, PIP_OPTIONS what pip is told beside.
set -eu

say() { printf '%s\n' "upgrade: $*" >&2; }
stop() { status=$1; shift; say "$*"; exit "$status"; }
usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }

python=${PYTHON:-/opt/tradex/bin/python} workspace=${TRADEX_WORKSPACE:-.} package='' backup='' actor='' owner=''
halt='systemctl stop tradex-run.timer tradex-run.service tradex-worker.service'
begin='systemctl start tradex-worker.service tradex-run.timer'
while [ $# -gt 0 ]; do
    case $1 in -h | --help) usage; exit 0 ;; esac
    [ $# -ge 2 ] || stop 2 "$1 wants a value: upgrade.sh --help"
    case $1 in
        -C | --workspace) workspace=$2 ;;
        --package) package=$2 ;;
        --backup) backup=$2 ;;
        --as) actor=$2 ;;
        --owner) owner=$2 ;;
        --stop) halt=$2 ;;
        --start) begin=$2 ;;
        *) stop 2 "nobody knows $1: upgrade.sh --help" ;;
    esac
    shift 2
done
[ -n "$package" ] || stop 2 "say what to install: --package WHAT"
[ -n "$backup" ] || stop 2 "say where the backup goes: --backup FILE"
[ -n "$actor" ] || stop 2 "say who you are: --as NAME"
settings=$workspace/tradex.toml
[ -f "$settings" ] || stop 4 "there are no settings at $settings"

tradex() { command "${TRADEX:-/opt/tradex/bin/tradex}" -C "$workspace" --as "$actor" "$@"; }

before=$backup.version # what was there before the first call, to go back to
if [ ! -f "$before" ]; then
    tradex --version >"$before.next"
    mv "$before.next" "$before"
fi
old=$(cat "$before")

if [ -e "$backup" ]; then say "the backup $backup is there already"; else tradex ledger backup "$backup"; fi

told() {
    status=$?
    [ "$status" -eq 0 ] || say "stopped half way ($status): workers are stopped. Call the same again to go on; to go back:" \
        "install what was there before ($old) by $python -m pip, then: $begin"
}
trap told EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

sh -c "$halt"
# shellcheck disable=SC2086 # options are words
"$python" -m pip --disable-pip-version-check install --quiet ${PIP_OPTIONS:-} "$package"
new=$(tradex --version)
say "$old is replaced by $new"
tradex ledger show
tradex status >/dev/null
if grep -q '^ledger = "postgres' "$settings"; then
    if [ -n "$owner" ]; then PGUSER=$owner tradex ledger grants; else say "say who owns the database (--owner), or have them run: tradex ledger grants"; fi
fi
sh -c "$begin"
say "done"
