-- Who may do what with a ledger in PostgreSQL. `tradex ledger grants` says this to the database, in one transaction, with
-- the names of the roles and of the schema in place of :owner, :writer, :reader and :schema. None of the roles logs in:
-- who does is made a member of one, as in GRANT tradex_writer TO ana.

DO $tradex$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner') THEN CREATE ROLE :owner NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'writer') THEN CREATE ROLE :writer NOLOGIN; END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'reader') THEN CREATE ROLE :reader NOLOGIN; END IF;
    -- Who is no superuser gives tables to a role of his own only.
    IF NOT pg_has_role(current_user, :'owner', 'SET') THEN GRANT :owner TO CURRENT_USER; END IF;
END $tradex$;

-- The owner has the tables and their guards, and makes those of a later release. Nobody works as the owner.
GRANT USAGE, CREATE ON SCHEMA :schema TO :owner;
ALTER TABLE :schema.events OWNER TO :owner;
ALTER TABLE :schema.tiles OWNER TO :owner;
ALTER TABLE :schema.ledger OWNER TO :owner;
ALTER TABLE :schema.tracking OWNER TO :owner;
ALTER TABLE :schema.holds OWNER TO :owner;
ALTER TABLE :schema.watches OWNER TO :owner;
ALTER FUNCTION :schema.tradex_refuse() OWNER TO :owner;
ALTER FUNCTION :schema.tradex_events_dense() OWNER TO :owner;
ALTER FUNCTION :schema.tradex_events_true() OWNER TO :owner;
ALTER FUNCTION :schema.tradex_tiles_true() OWNER TO :owner;

REVOKE ALL ON :schema.events, :schema.tiles, :schema.ledger, :schema.tracking, :schema.holds, :schema.watches
FROM PUBLIC, :writer, :reader;
REVOKE CREATE ON SCHEMA :schema FROM PUBLIC, :writer, :reader;
GRANT USAGE ON SCHEMA :schema TO :writer, :reader;

-- The writer adds, and changes nothing that is there: no UPDATE, DELETE, TRUNCATE, and so no lock that keeps others out.
GRANT SELECT, INSERT ON :schema.events, :schema.tiles TO :writer;
GRANT SELECT ON :schema.ledger TO :writer;
-- Outside the ledger: who drives what, and how far a follower is.
GRANT SELECT, INSERT, UPDATE, DELETE ON :schema.tracking, :schema.holds, :schema.watches TO :writer;

GRANT SELECT ON :schema.events, :schema.tiles, :schema.ledger, :schema.tracking, :schema.holds, :schema.watches
TO :reader;

-- What a role may, it may have of another: of one that it is a member of, or as a superuser. Then none of this holds.
DO $tradex$
DECLARE
    more text;
    locks text[] := CASE WHEN current_setting('server_version_num')::int < 170000 THEN '{}' ELSE '{MAINTAIN}' END;
BEGIN
    SELECT string_agg(DISTINCT who || ' may ' || what, ', ' ORDER BY who || ' may ' || what) INTO more FROM (
        SELECT who, may || ' ' || on_table AS what
        FROM unnest(ARRAY[:'writer', :'reader']) AS who, unnest(ARRAY['events', 'tiles', 'ledger']) AS on_table,
             unnest(ARRAY['UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER', 'INSERT'] || locks) AS may
        WHERE has_table_privilege(who, format('%I.%I', :'schema', on_table), may)
          AND NOT (who = :'writer' AND may = 'INSERT' AND on_table <> 'ledger')
        UNION ALL
        SELECT who, 'CREATE in the schema' FROM unnest(ARRAY[:'writer', :'reader']) AS who
        WHERE has_schema_privilege(who, :'schema', 'CREATE')
        UNION ALL
        SELECT who, 'be ' || :'owner' FROM unnest(ARRAY[:'writer', :'reader']) AS who
        WHERE pg_has_role(who, :'owner', 'MEMBER')
    ) AS found;
    IF more IS NOT NULL THEN RAISE EXCEPTION '%', more USING ERRCODE = 'TRX01'; END IF;
END $tradex$;
