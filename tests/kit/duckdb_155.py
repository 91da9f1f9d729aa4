"""What another engine finds: run by the Python of an environment that has DuckDB 1.5.5 and its extensions.

It knows nothing of us. It reads one JSON document (`place`: a DuckLake catalog or null, `asks`: a list) and writes one:
to each ask, {of, table, version?, also?}, how many rows there are, the digest of their multiset, and the columns. Of
`statements`, which stand for themselves, how many rows each gives.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def connect(*extensions: str) -> Any:
    import duckdb

    connection = duckdb.connect(config={"allow_unsigned_extensions": "true", "autoload_known_extensions": "false"})
    for name in extensions:
        package = importlib.import_module(f"duckdb_extension_{name}")
        (file,) = Path(str(package.__file__)).parent.rglob("*.duckdb_extension")
        connection.execute(f"load '{file}'")
    return connection


def found(connection: Any, relation: str) -> dict[str, Any]:
    names = [row[0] for row in connection.execute(f"describe from {relation}").fetchall()]
    rows = connection.execute(f"select columns(*)::varchar from {relation}").fetchall()
    return multiset(names, rows)


def multiset(names: list[str], rows: Iterable[Sequence[Any]]) -> dict[str, Any]:
    texts = sorted(json.dumps(list(row)) for row in rows)
    return {"rows": len(texts), "digest": hashlib.sha256("\n".join(texts).encode()).hexdigest(), "columns": names}


def relation(ask: dict[str, Any]) -> str:
    quoted = "'" + str(ask["table"]).replace("'", "''") + "'"
    if ask["of"] == "delta":
        return f"delta_scan({quoted}" + (f", version => {ask['version']})" if "version" in ask else ")")
    if ask["of"] == "changes":
        return f"lake.table_changes({quoted}, {ask['first']}, {ask['last']})"
    if ask["of"] == "snapshots":
        return "ducklake_snapshots('lake')"
    return f'lake."{ask["table"]}"' + (f" at (version => {ask['version']})" if "version" in ask else "")


def main() -> None:
    import duckdb

    asked = json.load(sys.stdin)
    place = asked.get("place")
    kind = "postgres" if str(place).startswith("postgres:") else "sqlite"
    extensions = ["delta"] if place is None else [f"{kind}_scanner", "ducklake"]
    connection = connect(*(["httpfs"] if asked.get("s3") or asked.get("httpfs") else []), *extensions)
    if reached := asked.get("s3"):
        host = reached["endpoint"].partition("://")[2]
        connection.execute(
            f"create secret (type s3, key_id '{reached['key_id']}', secret '{reached['secret']}', region 'us-east-1', "
            f"endpoint '{host}', url_style 'path', use_ssl false)"
        )
    if statements := asked.get("statements"):
        json.dump([len(connection.execute(one).fetchall()) for one in statements], sys.stdout)
        return
    if place is not None:
        quoted = f"ducklake:{place}".replace("'", "''")
        then = f", snapshot_version {asked['then']}" if asked.get("then") else ""
        connection.execute(f"attach '{quoted}' as lake (read_only{then})")
    answers = []
    for ask in asked["asks"]:
        try:
            if ask.get("values"):
                rows = connection.execute(f"select columns(*)::varchar from {relation(ask)}").fetchall()
                answers.append({"values": rows})
            else:
                answers.append(found(connection, relation(ask)))
        except duckdb.Error as error:
            answers.append({"error": str(error)})
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
