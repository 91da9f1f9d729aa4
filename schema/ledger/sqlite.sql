-- The event store on SQLite. Triggers stop accidents; checkpoints kept outside the database detect the rest.

CREATE TABLE IF NOT EXISTS ledger (
    singleton  INTEGER PRIMARY KEY CHECK (singleton = 1),
    id         TEXT NOT NULL,
    format     INTEGER NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

-- `entry` is the event: the exact bytes that are hashed. The other columns are an index over it.
CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY,
    stream   TEXT NOT NULL,
    version  INTEGER NOT NULL,
    topic    TEXT NOT NULL,
    at       TEXT NOT NULL,
    leaf     BLOB NOT NULL CHECK (length(leaf) = 32),
    entry    TEXT NOT NULL,
    UNIQUE (stream, version)
) STRICT;

CREATE INDEX IF NOT EXISTS events_by_topic ON events (topic, position);

-- What decides is read from a stream by topic: see ledger/loading.py.
CREATE INDEX IF NOT EXISTS events_by_stream_topic ON events (stream, topic, version);

-- Full tiles of the RFC 9162 tree, as in C2SP tlog-tiles: tile N of level L holds the hashes of the
-- 256 subtrees of height 8L that begin at leaf N * 256^(L+1).
-- WITHOUT ROWID, because a rowid of its own would be a second key for INSERT OR REPLACE to hit.
CREATE TABLE IF NOT EXISTS tiles (
    level  INTEGER NOT NULL,
    tile   INTEGER NOT NULL,
    hashes BLOB NOT NULL CHECK (length(hashes) = 8192),
    PRIMARY KEY (level, tile)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER IF NOT EXISTS events_no_update BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an event is never changed'); END;

CREATE TRIGGER IF NOT EXISTS events_no_delete BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an event is never removed'); END;

CREATE TRIGGER IF NOT EXISTS tiles_no_update BEFORE UPDATE ON tiles
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: a tile is never changed'); END;

CREATE TRIGGER IF NOT EXISTS tiles_no_delete BEFORE DELETE ON tiles
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: a tile is never removed'); END;

CREATE TRIGGER IF NOT EXISTS ledger_no_update BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: its identity is never changed'); END;

CREATE TRIGGER IF NOT EXISTS ledger_no_delete BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: its identity is never removed'); END;

-- INSERT OR REPLACE removes the row in its way without firing a DELETE trigger, so each insert is checked first.
CREATE TRIGGER IF NOT EXISTS events_dense_insert BEFORE INSERT ON events
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: an event takes the position after the last')
    WHERE NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM events);
    SELECT RAISE(ABORT, 'the ledger is append-only: the stream already has this version')
    WHERE EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND version = NEW.version);
END;

-- A row is what its entry says. (SQLite has no SHA-256: that the leaf is the entry's, each reader makes sure of.)
CREATE TRIGGER IF NOT EXISTS events_true_insert BEFORE INSERT ON events
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: the entry is of another event, or of another ledger')
    WHERE json_extract(NEW.entry, '$.position') IS NOT NEW.position
       OR json_extract(NEW.entry, '$.stream') IS NOT NEW.stream
       OR json_extract(NEW.entry, '$.version') IS NOT NEW.version
       OR json_extract(NEW.entry, '$.topic') IS NOT NEW.topic
       OR json_extract(NEW.entry, '$.at') IS NOT NEW.at
       OR json_extract(NEW.entry, '$.ledger') IS NOT (SELECT id FROM ledger);
END;

CREATE TRIGGER IF NOT EXISTS tiles_true_insert BEFORE INSERT ON tiles
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: a tile is laid when all of its events are there')
    WHERE NEW.level NOT BETWEEN 0 AND 6
       OR (NEW.tile + 1) * (1 << (8 * (NEW.level + 1))) > (SELECT coalesce(max(position), 0) FROM events);
END;

CREATE TRIGGER IF NOT EXISTS tiles_dense_insert BEFORE INSERT ON tiles
BEGIN
    SELECT RAISE(ABORT, 'the ledger is append-only: a tile follows the last of its level')
    WHERE NEW.tile IS NOT (SELECT coalesce(max(tile), -1) + 1 FROM tiles WHERE level = NEW.level);
END;

CREATE TRIGGER IF NOT EXISTS ledger_single_insert BEFORE INSERT ON ledger
WHEN EXISTS (SELECT 1 FROM ledger)
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: a database holds one ledger'); END;

-- Outside the ledger: what may be changed, or deleted and made again.

-- Of older releases, which kept a cache of aggregates here. Nobody reads it any more, and nobody writes it.
CREATE TABLE IF NOT EXISTS snapshots (
    stream  TEXT NOT NULL,
    version INTEGER NOT NULL,
    topic   TEXT NOT NULL,
    state   BLOB NOT NULL,
    PRIMARY KEY (stream, version)
) STRICT;

CREATE TABLE IF NOT EXISTS tracking (
    application TEXT PRIMARY KEY NOT NULL,
    position    INTEGER NOT NULL
) STRICT;

-- Of older releases, whose leases ended by a wall clock. Nobody reads it any more, and nobody writes it.
CREATE TABLE IF NOT EXISTS leases (
    name       TEXT PRIMARY KEY NOT NULL,
    holder     TEXT NOT NULL,
    host       TEXT NOT NULL,
    pid        INTEGER NOT NULL CHECK (pid > 0),
    expires_at TEXT NOT NULL
) STRICT;

-- Who drives what. `renewed` counts seconds since the machine was started; `beat` counts renewals, for other machines.
CREATE TABLE IF NOT EXISTS holds (
    name    TEXT PRIMARY KEY NOT NULL,
    holder  TEXT NOT NULL,
    host    TEXT NOT NULL,
    machine TEXT NOT NULL,
    pid     INTEGER NOT NULL CHECK (pid > 0),
    beat    INTEGER NOT NULL,
    renewed REAL NOT NULL,
    seconds REAL NOT NULL
) STRICT;

-- Since when, by its own count, a machine knows a renewal of another machine's lease.
CREATE TABLE IF NOT EXISTS watches (
    name    TEXT NOT NULL,
    machine TEXT NOT NULL,
    holder  TEXT NOT NULL,
    beat    INTEGER NOT NULL,
    since   REAL NOT NULL,
    PRIMARY KEY (name, machine)
) STRICT;
