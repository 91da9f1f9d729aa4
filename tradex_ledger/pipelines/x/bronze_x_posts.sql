-- /// dataset
-- layer = "bronze"
-- partition = "event_date"
-- key = ["post_id", "revision"]
-- source = "x_posts"
-- ///
-- One row a (post_id, revision), as received. The extractor fills it; this states its columns. Times are UTC.
-- `revision` tells one delivery from another by what was delivered: the version's id and its texts. Counts are no part
-- of it. `is_whole`: the text is not one that was cut off. What could not be read of a post is null.
select
    null::varchar as payload,
    null::varchar as post_id,
    null::varchar as author_id,
    null::timestamp as created_at,
    null::date as event_date,
    null::varchar as text,
    null::varchar as lang,
    null::boolean as is_retweet,
    null::bigint as likes,
    null::bigint as retweets,
    null::varchar as revision,
    null::timestamp as revised_at,
    null::boolean as is_whole,
    null::varchar as source,
    null::varchar as run_id,
    null::timestamp as ingested_at
