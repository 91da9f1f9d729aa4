"""What is laid into a workspace and its source that nobody would write: settings, posts, things in place of files."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import shutil
from pathlib import Path
from typing import Any

from tradex_ledger.config import FILE
from tradex_ledger.domain.policy import Policy, settings

V2 = {
    "id": "1741941000000000001",
    "text": "late $TSLA",
    "author_id": "9",
    "created_at": "2024-01-02T10:00:00.000Z",
    "public_metrics": {"like_count": 3, "retweet_count": 1},
    "edit_history_tweet_ids": ["1741941000000000001"],
    "referenced_tweets": [{"type": "retweeted", "id": "1741941000000000000"}],
    "note_tweet": {"text": "long $TSLA"},
}
V1 = {
    "id": 1741941000000000001,
    "id_str": "1741941000000000001",
    "full_text": "late $TSLA",
    "extended_tweet": {"full_text": "later"},
    "user": {"id": 9, "id_str": "9"},
    "created_at": "Tue Jan 02 10:00:00 +0000 2024",
    "favorite_count": 3,
    "retweeted_status": {"id_str": "1741941000000000000", "text": "y", "user": {"id_str": "8"}},
    "timestamp_ms": "1704189600000",
}
PAGE = {"data": [V2, V2], "includes": {"tweets": [V2]}, "errors": [{"title": "x"}], "meta": {"result_count": 2}}
ARCHIVE = [{"tweet": V1}, {"tweet": V1}]
DOCUMENTS = [
    *(json.dumps(document) for document in (V2, V1, PAGE, ARCHIVE, {"delete": {"status": {"id": 1}}})),
    f"window.YTD.tweets.part0 = {json.dumps(ARCHIVE)}",
    *(json.dumps(document, indent=1) for document in (V1, PAGE)),
]
VALUES = [
    *(
        "null",
        "true",
        "[]",
        "{}",
        '""',
        "1",
        "-1",
        "1e400",
        f"1{'0' * 400}",
        "-0",
        "0.1",
        "NaN",
        "Infinity",
        "9" * 5_000,
    ),
    *('"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\\u202e"', '"x"', '"٣"', f'"{"x" * 70_000}"', '"\U0001f600"'),
    *("[" * 1_200 + "]" * 1_200, "[" * 9_000, '{"a":' * 1_100 + "1" + "}" * 1_100, '{"id":"1"}', '[{"id":"1"}]'),
    *('"9999-12-31T23:59:59.999Z"', '"0001-01-01T00:00:00+14:00"', '"2024-01-02T10:00:00+99:99"', '"2024-W01-1T00Z"'),
    *('"Tue Foo 02 10:00:00 +0000 2024"', '"Tue Jan 32 25:61:61 +9999 9999"', "18446744073709551616", "1.7e18"),
]
NAMES = [
    *("x.jsonl", "x.json", "x.js", "x.jsonl.gz", "x.csv", "x.JSON", "\u202ex.jsonl", "x\ny.jsonl", "x.jsonl.zst"),
    *("x.json.bz2", "'x\".jsonl", "x[1]*.jsonl", "2024-01-05-x.ndjson"),
]
TOML = [
    *('""', '"x"', '" "', '"\\u0000"', '"\\u001b[31m"', '"\\u202e"', "0", "-1", "1", "7", "1.5", "nan", "inf", "true"),
    *("[]", '[""]', '["*"]', '["*", "x"]', "[1]", "[[1]]", "{}", "{a = 1}", "2024-01-01", "12:00:00", "9" * 400),
    *("9223372036854775808", "9" * 5_000, f'"{"x" * 5_000}"', '"/"', '"."', '"/dev/null"', '"tradex.toml"', '"lake"'),
    *('"ledger.db"', '"pipeline"', '"files:"', '"files:/dev"', '"files:lake"', '"files:ledger.db"', '"sqlite:///lake"'),
    *('"sqlite:////dev/null"', '"sqlite:///tradex.toml"', '"sqlite:///ledger.db?mode=memory"', '"sqlite:///:memory:"'),
    *('"Europe/Nowhere"', '"../etc"', '"Europe"', '"00:00-24:00"', '"13:30-20:00"', '"25:00-26:00"', '"٣:٣٠-٤:٠٠"'),
    *('["temporal"]', '["forced", "forced"]', '["http://127.0.0.1:1/", 3]', '["http://\\n/"]', '["https://[::1"]'),
    *(
        '["http://127.0.0.1:1/"]',
        '["http://127.0.0.1:99999/"]',
        '["http://a..b/"]',
        '["x://"]',
        '["file:///etc/passwd"]',
    ),
]
KEYS = {
    "workspace": ["format", "ledger", "lake", "pipeline", "workers", "task_memory_mb", "task_minutes", "x"],
    "source": ["uri", "x"],
    "policy": [*settings(), "x"],
    "alerts": ["urls", "x"],
}
_VALUE = re.compile(r'"[^"]*"|\d+|null')


def mutated(text: str, rng: random.Random) -> str:
    """A document with other values, some of it gone, or twice there (a key, say)."""
    for _ in range(rng.choice([1, 1, 2, 4])):
        found = list(_VALUE.finditer(text))
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.randrange(60))
        chance = rng.random()
        if chance < 0.7 and found:
            value = rng.choice(found)
            text = text[: value.start()] + rng.choice(VALUES) + text[value.end() :]
        elif chance < 0.85:
            text = text[:end] + text[start:end] + text[end:]
        else:
            text = text[:start] + rng.choice(["", "\0", "\x1b", '"', "}", ",", "\ufeff", "\\", "\r", "\n"]) + text[end:]
    return text


def encoded(text: str, rng: random.Random) -> bytes:
    """Its bytes, mostly UTF-8; in other encodings, with a mark before it, with some of them others."""
    codec = rng.choice([*["utf-8"] * 8, "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "latin-1"])
    found = bytearray(text.encode(codec, "replace"))
    for _ in range(rng.choice([0, 0, 0, 3])):
        if found:
            found[rng.randrange(len(found))] = rng.randrange(256)
    return bytes(found)


def odd_posts(ws: Path, rng: random.Random) -> Any:
    """A file is delivered."""
    lines = [encoded(mutated(rng.choice(DOCUMENTS), rng), rng) for _ in range(rng.choice([1, 2, 5]))]
    content, name = b"\n".join(lines), rng.choice(NAMES)
    if name.endswith(".gz"):
        content = gzip.compress(content)[: rng.choice([None, None, 90])]
    (ws.parent / "posts" / name).write_bytes(content)
    return name, content[:200]


def odd_settings(ws: Path, rng: random.Random) -> Any:
    """A value of the settings is another, mostly one of the right kind."""
    text, said = (ws / FILE).read_text(encoding="utf-8"), []
    for _ in range(rng.choice([1, 1, 2])):
        section = rng.choice(list(KEYS))
        key = rng.choice(KEYS[section])
        values, default = TOML, getattr(Policy(), key, None)
        if rng.random() < 0.7 and (isinstance(default, int) or key in KEYS["workspace"][4:7]):
            values = ["true", "false"] if isinstance(default, bool) else ["0", "1", "2", "1000", "1000000", "999999999"]
        value = rng.choice(values)
        text = re.sub(rf"(?m)^{key} = .*\n", "", text)
        if f"[{section}]" not in text:
            text += f"\n[{section}]\n"
        text = text.replace(f"[{section}]", f"[{section}]\n{key} = {value}", 1)
        said.append(f"{section}.{key} = {value[:60]}")
    (ws / FILE).write_text(text, encoding="utf-8")
    return said


def odd_places(ws: Path, rng: random.Random) -> Any:
    """Something else is where a file or folder was: nothing, a folder, a circle, a pipe, a device, other bytes."""
    path = rng.choice([ws / FILE, ws / "ledger.db", ws / "lake", ws / "pipeline", *sorted(ws.rglob("*"))])
    there = path.read_bytes() if path.is_file() else b""
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)
    kind = rng.choice(["nothing", "folder", "circle", "pipe", "device", "empty", "random", "cut", "flipped"])
    if kind == "folder":
        path.mkdir()
    elif kind == "circle":
        path.symlink_to(path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/null")
    elif kind == "random":
        path.write_bytes(rng.randbytes(5_000))
    elif kind == "cut":
        path.write_bytes(there[: rng.randrange(len(there) + 1)])
    elif kind == "flipped":
        bits = bytearray(there)
        for _ in range(20 if bits else 0):
            bits[rng.randrange(len(bits))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(bits))
    elif kind == "empty":
        path.write_bytes(b"")
    return str(path.relative_to(ws)), kind
