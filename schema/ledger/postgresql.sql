-- The event store on PostgreSQL, 16 and later. Triggers stop accidents; checkpoints kept outside the database detect the
-- rest. Guards look at all rows of a statement at once, and find the end of the log by its index: what they cost does
-- not grow. (Their plans are kept: one made while a table is empty would scan it for ever, hence `enable_seqscan`.)

-- A session's own temporary table of the name `events` must not be what a guard looks at.
SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true);

CREATE TABLE IF NOT EXISTS ledger (
    singleton  integer PRIMARY KEY CHECK (singleton = 1),
    id         text COLLATE "C" NOT NULL,
    format     integer NOT NULL,
    created_at text COLLATE "C" NOT NULL
);

-- `entry` is the event: the exact bytes that are hashed. The other columns are an index over it.
CREATE TABLE IF NOT EXISTS events (
    position bigint PRIMARY KEY,
    stream   text COLLATE "C" NOT NULL,
    version  bigint NOT NULL,
    topic    text COLLATE "C" NOT NULL,
    at       text COLLATE "C" NOT NULL,
    leaf     bytea NOT NULL CHECK (octet_length(leaf) = 32),
    entry    text COLLATE "C" NOT NULL,
    CONSTRAINT events_by_stream UNIQUE (stream, version)
);

CREATE INDEX IF NOT EXISTS events_by_topic ON events (topic, position);

-- What decides is read from a stream by topic: see ledger/loading.py.
CREATE INDEX IF NOT EXISTS events_by_stream_topic ON events (stream, topic, version);

-- Full tiles of the RFC 9162 tree, as in C2SP tlog-tiles: tile N of level L holds the hashes of the
-- 256 subtrees of height 8L that begin at leaf N * 256^(L+1).
CREATE TABLE IF NOT EXISTS tiles (
    level  integer NOT NULL,
    tile   bigint NOT NULL,
    hashes bytea NOT NULL CHECK (octet_length(hashes) = 8192),
    PRIMARY KEY (level, tile)
);

CREATE OR REPLACE FUNCTION tradex_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % never %', TG_ARGV[0],
        CASE TG_OP WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- The position after the last, and so on: with the rows of one statement, however they came.
CREATE OR REPLACE FUNCTION tradex_events_dense() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    first_new bigint; last_new bigint; many bigint; before bigint;
BEGIN
    SELECT min(position), max(position), count(*) INTO first_new, last_new, many FROM fresh;
    IF many = 0 THEN RETURN NULL; END IF;
    SELECT position INTO before FROM events WHERE position < first_new ORDER BY position DESC LIMIT 1;
    IF first_new <> coalesce(before, 0) + 1 OR last_new - first_new + 1 <> many THEN
        RAISE EXCEPTION 'the ledger is append-only: an event takes the position after the last'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM pg_notify('tradex_ledger', last_new::text);  -- who follows the ledger hears of it with the commit
    RETURN NULL;
END $$;

-- A row is what its entry says. An entry is canonical, so that its envelope stands at its ends, as text; inside texts
-- quotes are escaped, so nothing else can look like it. (That the leaf is the entry's, each reader makes sure of.)
-- Bytes are compared, since the end of a text is found by reading all of it; `v` has one to three digits.
CREATE OR REPLACE FUNCTION tradex_events_true() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    own text;
BEGIN
    SELECT ',"ledger":' || to_json(id)::text || ',"position":' INTO own FROM ledger;
    IF own IS NULL OR EXISTS (
        SELECT 1 FROM (
            SELECT entry, at, bytes, ending, told, octet_length(bytes) - octet_length(ending) AS rest,
                   octet_length(told) AS long
            FROM (
                SELECT entry, at, convert_to(entry, 'UTF8') AS bytes,
                       convert_to(',"version":' || version || '}', 'UTF8') AS ending,
                       convert_to(own || position || ',"stream":' || to_json(stream)::text
                                      || ',"topic":' || to_json(topic)::text || ',"v":', 'UTF8') AS told
                FROM fresh
                OFFSET 0
            ) AS said
            OFFSET 0
        ) AS cut
        WHERE NOT (
            starts_with(entry, '{"at":"' || at || '","by":')
            AND rest > long + 3
            AND substring(bytes FROM rest + 1) = ending
            AND (substring(bytes FROM rest - long FOR long) = told
                 OR substring(bytes FROM rest - long - 1 FOR long) = told
                    AND get_byte(bytes, rest - 2) BETWEEN 48 AND 57
                 OR substring(bytes FROM rest - long - 2 FOR long) = told
                    AND get_byte(bytes, rest - 2) BETWEEN 48 AND 57 AND get_byte(bytes, rest - 3) BETWEEN 48 AND 57)
            AND get_byte(bytes, rest - 1) BETWEEN 48 AND 57
            AND entry IS JSON OBJECT
        )
    ) THEN
        RAISE EXCEPTION 'the ledger is append-only: the entry is of another event, or of another ledger'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION tradex_tiles_true() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT SET enable_seqscan = off AS $$
DECLARE
    size bigint; laid record; before bigint;
BEGIN
    SELECT position INTO size FROM events ORDER BY position DESC LIMIT 1;
    FOR laid IN SELECT level, min(tile) AS first_new, max(tile) AS last_new, count(*) AS many FROM fresh GROUP BY level
    LOOP
        IF laid.level NOT BETWEEN 0 AND 6 OR (laid.last_new + 1) << (8 * (laid.level + 1)) > coalesce(size, 0) THEN
            RAISE EXCEPTION 'the ledger is append-only: a tile is laid when all of its events are there'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        SELECT tile INTO before FROM tiles
        WHERE level = laid.level AND tile < laid.first_new ORDER BY tile DESC LIMIT 1;
        IF laid.first_new <> coalesce(before, -1) + 1 OR laid.last_new - laid.first_new + 1 <> laid.many THEN
            RAISE EXCEPTION 'the ledger is append-only: a tile follows the last of its level'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION tradex_refuse('an event is');
CREATE OR REPLACE TRIGGER tiles_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON tiles
FOR EACH STATEMENT EXECUTE FUNCTION tradex_refuse('a tile is');
CREATE OR REPLACE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
FOR EACH STATEMENT EXECUTE FUNCTION tradex_refuse('its identity is');
CREATE OR REPLACE TRIGGER events_dense_insert AFTER INSERT ON events
REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION tradex_events_dense();
CREATE OR REPLACE TRIGGER events_true_insert AFTER INSERT ON events
REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION tradex_events_true();
CREATE OR REPLACE TRIGGER tiles_true_insert AFTER INSERT ON tiles
REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION tradex_tiles_true();

-- Not even a session that plays a replica goes past them.
ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_change, ENABLE ALWAYS TRIGGER events_dense_insert,
    ENABLE ALWAYS TRIGGER events_true_insert;
ALTER TABLE tiles ENABLE ALWAYS TRIGGER tiles_no_change, ENABLE ALWAYS TRIGGER tiles_true_insert;
ALTER TABLE ledger ENABLE ALWAYS TRIGGER ledger_no_change;

-- Outside the ledger: what may be changed, or deleted and made again.

CREATE TABLE IF NOT EXISTS tracking (
    application text COLLATE "C" PRIMARY KEY,
    position    bigint NOT NULL
);

-- Who drives what. `renewed` counts seconds since the machine was started; `beat` counts renewals, for other machines.
CREATE TABLE IF NOT EXISTS holds (
    name    text COLLATE "C" PRIMARY KEY,
    holder  text NOT NULL,
    host    text NOT NULL,
    machine text NOT NULL,
    pid     bigint NOT NULL CHECK (pid > 0),
    beat    bigint NOT NULL,
    renewed double precision NOT NULL,
    seconds double precision NOT NULL
);

-- Since when, by its own count, a machine knows a renewal of another machine's lease.
CREATE TABLE IF NOT EXISTS watches (
    name    text COLLATE "C" NOT NULL,
    machine text COLLATE "C" NOT NULL,
    holder  text NOT NULL,
    beat    bigint NOT NULL,
    since   double precision NOT NULL,
    PRIMARY KEY (name, machine)
);
