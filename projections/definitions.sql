-- What each logic version of a dataset is made of, word for word: its definition, its reference data, its columns.
select
    dataset,
    logic_version,
    data ->> '$.definition' as definition,
    data -> '$.references' as "references",
    data -> '$.columns' as columns,
    position
from events
where topic = 'dataset.logic_versioned'
