-- Each file that was given up: by which event, and by whom.
-- Empty without dataset.files_pruned.
select dataset, f.path as path, f.bytes as bytes, f.rows as rows, f.sha256 as sha256, "by", "at", position
from (select dataset, unnest(files) as f, "by", "at", position from events where topic = 'dataset.files_pruned')
