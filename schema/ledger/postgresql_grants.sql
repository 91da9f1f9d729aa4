-- Who may do what with a ledger in PostgreSQL: `tradex ledger grants` says this to the database, with the names of the
-- roles and of the schema in place of :owner, :writer, :reader and :schema. None of them logs in; who does is made a
-- member of one: GRANT tradex_writer TO ana.

-- The owner has the tables and their guards. Nobody works as the owner.
ALTER TABLE events OWNER TO :owner;
ALTER TABLE tiles OWNER TO :owner;
ALTER TABLE ledger OWNER TO :owner;
ALTER TABLE tracking OWNER TO :owner;
ALTER TABLE holds OWNER TO :owner;
ALTER TABLE watches OWNER TO :owner;
ALTER FUNCTION tradex_refuse() OWNER TO :owner;
ALTER FUNCTION tradex_events_dense() OWNER TO :owner;
ALTER FUNCTION tradex_events_true() OWNER TO :owner;
ALTER FUNCTION tradex_tiles_true() OWNER TO :owner;

REVOKE ALL ON events, tiles, ledger, tracking, holds, watches FROM PUBLIC, :writer, :reader;
REVOKE CREATE ON SCHEMA :schema FROM PUBLIC, :writer, :reader;
GRANT USAGE ON SCHEMA :schema TO :owner, :writer, :reader;

-- The writer adds, and changes nothing that is there: no UPDATE, DELETE, TRUNCATE, and so no lock that keeps others out.
GRANT SELECT, INSERT ON events, tiles TO :writer;
GRANT SELECT ON ledger TO :writer;
-- Outside the ledger: who drives what, and how far a follower is.
GRANT SELECT, INSERT, UPDATE, DELETE ON tracking, holds, watches TO :writer;

GRANT SELECT ON events, tiles, ledger, tracking, holds, watches TO :reader;
