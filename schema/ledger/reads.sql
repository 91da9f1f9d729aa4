-- What is asked of a ledger that is read, each under its name. Any database answers these. What stands in /*+ … */ is a
-- hint that SQLite is given and others pass over; a list is bound to the name that stands after `in`. To the statements
-- without a `where`, `ledger/ask.py` adds its conditions.

-- name: identity
select id, format from ledger

-- name: made
select format, created_at from ledger

-- name: last_position
select coalesce(max(position), 0) from events

-- name: last
select position, stream, version, topic, at, leaf, entry from events order by position desc limit 1

-- name: events
select position, stream, version, topic, at, leaf, entry from events

-- name: first_positions
select min(position), at from events

-- name: ends
-- By two indexes, in one statement, since events may be added between two.
select
    (select max(position) from events),
    (select max(position) from events /*+ indexed by events_by_topic */ where topic in :topics)

-- name: range
select position, stream, version, topic, at, leaf, entry
from events
where position between :first and :last
order by position

-- name: range_of_topics
select position, stream, version, topic, at, leaf, entry
from events
where position between :first and :last and topic in :topics
order by position

-- name: range_counted
select count(*) from events where topic in :topics and position between :first and :last

-- name: tiles
-- As far as their events are there: a tile that was laid ahead of its events is over none.
select hashes
from tiles
where level = :level and tile >= :begin and tile < :upto and exists (select 1 from events where position = :last)
order by tile

-- name: tiles_of
select tile, hashes from tiles where level = :level and tile >= :begin and tile < :upto

-- name: leaves
select leaf from events where position between :first and :last order by position

-- name: tile
select hashes from tiles where level = :level and tile = :tile

-- name: stream_counted
select count(*), max(version) from events /*+ indexed by sqlite_autoindex_events_1 */ where stream = :stream

-- name: stream_by_topic
select topic, count(*), sum(version), max(version) from events where stream = :stream group by topic

-- name: stream
select position, stream, version, topic, at, leaf, entry from events where stream = :stream order by version

-- name: stream_of_topics
select position, stream, version, topic, at, leaf, entry from events where stream = :stream and topic in :topics

-- name: stream_of_versions
select position, stream, version, topic, at, leaf, entry from events where stream = :stream and version in :versions

-- name: streams_begun
select stream from events where version = 1 and topic in :topics order by position

-- name: streams_begun_among
select stream from events where version = 1 and stream in :streams and topic in :topics order by position

-- name: tracked
select position from tracking where application = :application

-- name: leases
select name, holder, host, machine, pid, beat, renewed, seconds from holds

-- name: watched
select name, holder, beat, since from watches where machine = :machine

-- name: streams_of_topics
select position, stream, version, topic, at, leaf, entry
from events
where stream in :streams and topic in :topics
order by position

-- name: tiles_of_level
select tile, hashes from tiles where level = :level and tile >= :begin and tile < :upto order by tile

-- name: stream_version
select coalesce(max(version), 0) from events where stream = :stream and position <= :upto

-- name: saved_at
select position, stream, version, topic, at, leaf, entry
from events
where position between :low and :upto and at = :at
order by position

-- name: counted
select count(*) from events

-- name: last_position_upto
select coalesce(max(position), 0) from events where position <= :upto

-- name: strange_positions
-- Each from its end of the table: with `or` all of it would be walked.
select position
from (
    select position from (select position from events where position < 1 order by position limit 101) as below
    union all
    select position from (select position from events where position > :size order by position limit 101) as above
) as strange
order by position
limit 101

-- name: by_stream_index
-- What SQLite's indexes hold, added up: `verifying/indexes.py` has the same of the rows. What is done to versions and
-- topics there keeps sums within 64 bits, and those of known topics apart.
select stream, max(version), count(*), sum(position * (version & 1023))
from events /*+ indexed by sqlite_autoindex_events_1 */
where position <= :size
group by stream

-- name: by_topic_index
select topic, sum(position) from events /*+ indexed by events_by_topic */ where position <= :size group by topic

-- name: by_stream_topic_index
-- First by stream and topic, in the order of the index: a topic's number is made once for each, and not for each event.
select
    stream,
    max(version),
    sum(
        total * (
            7 * length(topic)
            + coalesce(unicode(substr(topic, -3, 1)), 0)
            + 31 * coalesce(unicode(substr(topic, -4, 1)), 0)
            + 101 * coalesce(unicode(substr(topic, -11, 1)), 0)
        )
    )
from (
    select stream, topic, max(version) as version, sum(position) as total
    from events /*+ indexed by events_by_stream_topic */
    where position <= :size
    group by stream, topic
) as each_topic
group by stream
