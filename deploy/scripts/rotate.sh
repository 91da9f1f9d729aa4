#!/bin/sh
# Changes the credentials of a deployment that runs:
#
#   rotate.sh password --url URL --admin USER --login USER --passfile FILE
#       A new password for a login of PostgreSQL, in FILE (PGPASSFILE of who works), which is read at each connection:
#       what is connected goes on, who connects anew takes the new one. URL is without a user.
#   rotate.sh s3 -C WS --credentials FILE --new FILE --as NAME
#       The keys of the lake: the new ones are tried, then put in the place of the old (AWS_SHARED_CREDENTIALS_FILE),
#       which is read at each call. Both are good at the store meanwhile; take the old ones away there afterwards.
#   rotate.sh token --file FILE [--restart COMMAND]  <NEW-TOKEN
#       The token of the X API, read from standard input, into FILE (X_BEARER_TOKEN=…); COMMAND starts who uses it anew.
#   rotate.sh login --url URL --admin USER -C WS --as NAME --add USER --remove USER [--role ROLE]
#       Another login has the rights of ROLE (tradex_writer), and the old one may not log in any more.
#
# No secret is an argument of a command. Files are written beside and moved: they are whole at any time, with mode 0600.
# Cut off anywhere, the same call goes on. TRADEX and PSQL name programs, where they are not `tradex` and `psql`;
# --restart is `systemctl restart tradex-worker.service` unless said.
set -eu
umask 077

say() { printf '%s\n' "rotate: $*" >&2; }
stop() { status=$1; shift; say "$*"; exit "$status"; }
usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }

case ${1:-} in
    -h | --help) usage; exit 0 ;;
    password | s3 | token | login) deed=$1; shift ;;
    *) stop 2 "say what: password, s3, token or login (rotate.sh --help)" ;;
esac
workspace=${TRADEX_WORKSPACE:-.} url='' admin='' login='' passfile='' credentials='' new='' actor='' file='' add='' remove=''
role=tradex_writer restart='systemctl restart tradex-worker.service'
while [ $# -gt 0 ]; do
    case $1 in -h | --help) usage; exit 0 ;; esac
    [ $# -ge 2 ] || stop 2 "$1 wants a value: rotate.sh --help"
    case $1 in
        -C | --workspace) workspace=$2 ;;
        --url) url=$2 ;;
        --admin) admin=$2 ;;
        --login) login=$2 ;;
        --passfile) passfile=$2 ;;
        --credentials) credentials=$2 ;;
        --new) new=$2 ;;
        --as) actor=$2 ;;
        --file) file=$2 ;;
        --restart) restart=$2 ;;
        --add) add=$2 ;;
        --remove) remove=$2 ;;
        --role) role=$2 ;;
        *) stop 2 "nobody knows $1: rotate.sh --help" ;;
    esac
    shift 2
done

need() { # VALUE OPTION: there is one
    [ -n "$1" ] || stop 2 "$deed wants $2: rotate.sh --help"
}
name() { # VALUE OPTION: it can stand in SQL as it is
    need "$1" "$2"
    case $1 in [!a-z_]* | *[!a-z0-9_]*) stop 2 "$2 $1 is no name of a role: a-z, 0-9, _" ;; esac
}
tradex() { command "${TRADEX:-tradex}" -C "$workspace" --as "$actor" "$@"; }
psql() { command "${PSQL:-psql}" --no-psqlrc --quiet --set ON_ERROR_STOP=1 "$url" "$@"; }
as_admin() { PGUSER=$admin psql; } # the statements come by standard input
replace() { # FILE NEXT: the owner and the mode stay as they were
    if [ -e "$1" ]; then chown --reference="$1" "$2"; fi
    chmod 600 "$2"
    sync "$2"
    mv "$2" "$1"
}

# A password file with a fresh password in the lines of a login; a colon within a field has a backslash before it.
# shellcheck disable=SC2016 # it is a program of awk
with_fresh='
    /^#/ { print; next }
    {
        line = $0
        gsub(/\\:/, "\001", line)
        fields = split(line, field, ":")
        if (fields > 4 && field[4] == ENVIRON["LOGIN"]) {
            line = field[1] ":" field[2] ":" field[3] ":" field[4] ":" ENVIRON["FRESH"]
            found = 1
        }
        gsub("\001", "\\:", line)
        print line
    }
    END { exit !found }
'

enters() { # whether the login gets in with the passwords of a file
    printf 'select 1;\n' | (unset PGPASSWORD; PGUSER=$login PGPASSFILE=$1 psql --no-password) >/dev/null 2>&1
}

change_password() {
    need "$url" --url; need "$admin" --admin; name "$login" --login; need "$passfile" --passfile
    [ -f "$passfile" ] || stop 4 "there is no password file $passfile"
    next=$passfile.next # it outlives a crash: whether the database has taken it is found out by trying
    if [ -f "$next" ] && enters "$next"; then
        say "the database has the new password already"
    else
        fresh=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
        FRESH=$fresh LOGIN=$login awk "$with_fresh" <"$passfile" >"$next.part" || {
            rm "$next.part"
            stop 4 "$passfile has no line of $login"
        }
        replace "$next" "$next.part"
        printf "alter role \"%s\" password '%s';\n" "$login" "$fresh" | as_admin
    fi
    replace "$passfile" "$next"
    enters "$passfile" || stop 6 "$login does not get in by $passfile: look at the server's pg_hba.conf, and call this again"
    say "$login has a new password, and $passfile, too"
}

change_keys() {
    need "$credentials" --credentials; need "$actor" --as; need "$new" --new
    if [ ! -f "$new" ]; then
        [ -f "$credentials" ] || stop 4 "there are neither $credentials nor $new"
        say "there is no $new: it has been put in place already"
        new=$credentials
    fi
    (unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
     AWS_SHARED_CREDENTIALS_FILE=$new tradex ledger show >/dev/null) || stop 6 "the store does not take the keys of $new: nothing was changed"
    if [ "$new" != "$credentials" ]; then replace "$credentials" "$new"; fi
    say "the lake is reached with the new keys; take the old ones away at the store"
}

change_token() {
    need "$file" --file
    IFS= read -r token || [ -n "$token" ] || stop 2 "no token came by standard input"
    [ -n "$token" ] || stop 2 "no token came by standard input"
    if [ -f "$file" ]; then grep -v '^X_BEARER_TOKEN=' "$file" >"$file.next" || true; else : >"$file.next"; fi
    printf 'X_BEARER_TOKEN=%s\n' "$token" >>"$file.next"
    replace "$file" "$file.next"
    sh -c "$restart"
    say "$file has the new token, and who uses it was started anew"
}

change_login() {
    need "$url" --url; need "$admin" --admin; need "$actor" --as; name "$add" --add; name "$remove" --remove; name "$role" --role
    # The old one keeps what it is connected by until that ends: its worker is stopped, or has another login by then.
    as_admin <<SQL
select 'create role "$add" login' where not exists (select from pg_roles where rolname = '$add') \gexec
grant "$role" to "$add";
select 'revoke "$role" from "$remove"' where exists (select from pg_roles where rolname = '$remove') \gexec
select 'alter role "$remove" nologin' where exists (select from pg_roles where rolname = '$remove') \gexec
SQL
    PGUSER=$admin tradex ledger grants
    say "$add has the rights of $role, and $remove has none; give $add a password (psql: \\password $add) and say it in PGUSER"
}

case $deed in
    password) change_password ;;
    s3) change_keys ;;
    token) change_token ;;
    login) change_login ;;
esac
