#!/bin/sh
# Puts a lost ledger back from a backup, and lets it go on. Two persons, three calls:
#
#   restore.sh -C WS --backup FILE --reason WHY --as ana [--ledger URL]    put back, and ask for a new epoch
#   restore.sh -C WS --as maria                                            look at what is asked for
#   restore.sh -C WS --approve DIGEST --as maria [--to DAY]                begin it, and run the pipeline
#
# --ledger names the empty database that the ledger is put into, where it is not the one in tradex.toml: the settings
# are rewritten (what they were is kept beside them). --to, the last day, or --until, the day after it, is handed to
# `tradex run`; --no-run leaves that out.
# Each call looks first at what is there: cut off anywhere, the same call goes on, and what is done is not done twice.
# In PostgreSQL the first call is the owner's of the database (PGUSER), who says who may do what there, too.
# TRADEX names the program, where it is not `tradex`.
set -eu

say() { printf '%s\n' "restore: $*" >&2; }
stop() { status=$1; shift; say "$*"; exit "$status"; }
usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }

workspace=${TRADEX_WORKSPACE:-.} backup='' reason='' actor='' url='' digest='' to='' until='' run=yes
while [ $# -gt 0 ]; do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --no-run) run=''; shift; continue ;;
    esac
    [ $# -ge 2 ] || stop 2 "$1 wants a value: restore.sh --help"
    case $1 in
        -C | --workspace) workspace=$2 ;;
        --backup) backup=$2 ;;
        --reason) reason=$2 ;;
        --as) actor=$2 ;;
        --ledger) url=$2 ;;
        --approve) digest=$2 ;;
        --to) to=$2 ;;
        --until) until=$2 ;;
        *) stop 2 "nobody knows $1: restore.sh --help" ;;
    esac
    shift 2
done
[ -n "$actor" ] || stop 2 "say who you are: --as NAME"
settings=$workspace/tradex.toml
[ -f "$settings" ] || stop 4 "there are no settings at $settings: put those back first"

tradex() { command "${TRADEX:-tradex}" -C "$workspace" --as "$actor" "$@"; }

# What `ledger show` found: its exit status, and the code of the problem where there is one.
look() {
    found=0
    shown=$(tradex --json ledger show 2>&1) || found=$?
    problem=$(printf '%s\n' "$shown" | sed -n 's/.*"code": "\([a-z-]*\)".*/\1/p' | head -n 1)
}

name_database() {
    grep -q '^ledger = ' "$settings" || stop 2 "$settings has no line that begins with: ledger ="
    if grep -qxF "ledger = \"$url\"" "$settings"; then return; fi
    case $url in *[\"\\]*) stop 2 "$url is no URL that can stand in the settings" ;; esac
    kept=$settings.before-restore
    [ -e "$kept" ] || cp -p "$settings" "$kept"
    next=$settings.next
    cp -p "$settings" "$next"
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in 'ledger = '*) line="ledger = \"$url\"" ;; esac
        printf '%s\n' "$line"
    done <"$settings" >"$next"
    mv "$next" "$settings"
    say "the settings name $url now; as they were: $kept"
}

put_back() {
    [ -n "$reason" ] || stop 2 "say what happened: --reason WHY"
    [ -f "$backup" ] || stop 4 "there is no backup $backup"
    if [ -n "$url" ]; then name_database; fi
    look
    case $found:$problem in
        *:epoch-waits) say "the ledger is back already, and waits for somebody else's approval" ;;
        0:*) stop 3 "the ledger is there and belongs to its lake: nothing is put back over it" ;;
        4:*)
            tradex ledger restore "$backup" --reason "$reason"
            say "the ledger is back"
            ;;
        *:ledger-behind | *:ledger-forked | *:ledger-cut)
            stop 3 "an older copy of the ledger is there: ask for a new epoch of it (tradex ledger epoch --help), or name an empty database (--ledger URL)"
            ;;
        7:* | *:store-damaged) stop 7 "a broken ledger is there: keep it (mv), or name an empty database (--ledger URL), then call this again" ;;
        *) printf '%s\n' "$shown" >&2; stop "$found" "what is there is not understood" ;;
    esac
    if grep -q '^ledger = "postgres' "$settings"; then tradex ledger grants; fi
    say "now somebody else looks:  restore.sh -C $workspace --as NAME"
}

approve() {
    look
    case $found:$problem in
        *:epoch-waits) tradex ledger epoch --approve "$digest" ;;
        0:*) say "the epoch has begun already" ;;
        *) printf '%s\n' "$shown" >&2; stop "$found" "what is there is not understood" ;;
    esac
    if [ -z "$run" ]; then return; fi
    status=0
    done=$(tradex --json run ${to:+--to "$to"} ${until:+--until "$until"}) || status=$?
    case $status:$done in
        2:*'"nothing-to-run"'*) say "the pipeline has run that far already" ;;
        *) printf '%s\n' "$done"; [ "$status" -eq 0 ] || exit "$status" ;;
    esac
}

if [ -n "$backup" ]; then
    put_back
elif [ -n "$digest" ]; then
    approve
else
    tradex ledger epoch
fi
