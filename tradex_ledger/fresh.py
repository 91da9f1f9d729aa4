"""The text of a fresh `tradex.toml`: what was chosen, and every other setting as a comment with its default."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tradex_ledger.config import FORMAT
from tradex_ledger.domain.policy import Policy, deeds
from tradex_ledger.domain.words import ROW

_TEMPLATE = """\
# A tradex-ledger workspace. Relative paths are relative to this folder.

[workspace]
format = {format}
ledger = {ledger}
lake = {lake}
{pipeline}     # a folder of your own dataset definitions; without it, the built-in TradeX pipeline
{name}         # what the pipeline is called, and its state with it: never change it
# workers = 2               # worker processes; without it, one a processor
# task_memory_mb = 512      # bound for each task; what does not fit is spilled to disk
# task_minutes = 360        # and for its time: what takes longer is ended

{places}
# row_price = 0.005          # dollars that a source which is called takes for a {row}, where not the known price,
# count_price = 0.01         # … and for a call that counts {row}s: both, or neither

[policy]     # has effect once it is on record: tradex policy set --reason …
# 0 switches a bound off; who may: a list of names, or "*" for anybody
{rights}
# needs_approval = ["temporal", "dataset", "logical", "forced"]
# signed = ["forced"]        # kinds that nobody approves without a signature (tradex policy key add)
# rule_max_partitions = 0    # up to so many, a backfill is approved by rule (forced ones never are)
# rule_max_rows = 0          # … if it has at most so many rows,
# rule_max_source_calls = 0  # … and so many calls of the source
# run_max_source_rows = 0    # what a run may be delivered by a source that is called,
# run_max_source_calls = 0   # … how often it may call it,
# run_max_source_cents = 0   # … and what that may cost; beyond, it stops and can be resumed
# month_max_source_rows = 0  # the same for all runs of a calendar month (UTC)
# month_max_source_calls = 0
# month_max_source_cents = 0
# window_partitions = {policy.window_partitions}     # consecutive days that one statement rebuilds, at most
# batch_mb = {policy.batch_mb}              # delivered files that one task reads
# max_partitions = {policy.max_partitions}     # partitions that a run or a backfill may plan; more: --to, --split
# run_ahead_days = {policy.run_ahead_days}        # days without a {row} that `tradex run` passes without being told to
# runs_per_dataset = {policy.runs_per_dataset}       # backfills of one dataset driven at once
# runs_in_all = {policy.runs_in_all}            # backfills driven at once
# peak_hours = "13:30-20:00" # only urgent backfills start in them
# peak_time_zone = "America/New_York"
# sla_minutes = 0            # from approval to the end
# anomaly_drop_percent = {policy.anomaly_drop_percent}  # rows lost: against the version before, or the weekday's median
# anomaly_rise_percent = 0
# anomaly_mads = {policy.anomaly_mads}           # median absolute deviations from the same weekday's median
# anomaly_min_rows = {policy.anomaly_min_rows}      # nothing smaller is judged
# hold_on_anomaly = false    # hold the publication until somebody releases it
# expire_days = {policy.expire_days}           # requests that nobody approves
# clock_hours = {policy.clock_hours}           # what the clock may be away from the last event and the newest {row}
# engine_sample_partitions = {policy.engine_sample_partitions}    # of a dataset, to judge another engine by

[compute]
# pool = "processes"         # where windows are built; on a Dask cluster: "dask:tcp://HOST:PORT" (the scheduler's)

[checkpoints]
# every = 10000              # events after which a head of the ledger is signed at the latest
# sinks = ["/mnt/usb/heads"] # folders outside, that heads are laid in, too: tradex ledger checkpoint
# witnesses = []             # verifier keys of witnesses whose cosignatures count: tradex ledger witness
# quorum = 1                 # how many of them must have cosigned a head

# [mirrors.lakehouse]        # the lake for other readers, over its own files: tradex mirror
# kind = "ducklake"          # a DuckLake catalog, in a file or in postgresql://…; or "delta", a table a dataset
# place = "mirrors/lake.ducklake"

[alerts]
# urls = ["mailto://…", "slack://…"]   # where alerts go, in the notation of Apprise

# [feeds.lineage]            # OpenLineage events of all runs: tradex feed
# to = "https://lineage.example/api/v1/lineage"   # a receiver; or JSON lines: "file:lineage.jsonl"
# token_env = "TRADEX_LINEAGE_TOKEN"   # the variable (or token_file: the file) with the token that it asks for
# namespace = "…"            # of jobs and datasets; without it, the ledger's own name

# [subscriptions.desk]       # CloudEvents of what happens, signed: tradex feed
# url = "https://desk.example/hooks/tradex"
# topics = ["backfill.*", "run.published"]   # without it, all
# secret_env = "TRADEX_DESK_SECRET"    # the variable (or secret_file: the file) with whsec_…
# after = 0                  # begin behind that position; without it, with what happens from now on
"""


def fresh_settings(
    format: int,
    *,
    ledger: str,
    lake: str,
    source: str | None,
    sources: Mapping[str, str],
    pipeline: str | None,
    name: str | None,
    row: str,
) -> str:
    """The text, with these values in it."""
    places = [("source", source)] if source is not None else []
    places += [(f"sources.{one}", uri) for one, uri in sources.items()]
    return _TEMPLATE.format(
        format=format,
        ledger=_quoted(ledger),
        lake=_quoted(lake),
        places="\n\n".join(f"[{section}]\nuri = {_quoted(uri)}" for section, uri in places),
        name=f"name = {_quoted(name)}" if name else '# name = "trades"',
        pipeline=f"pipeline = {_quoted(pipeline)}" if pipeline else '# pipeline = "pipeline"',
        rights="\n".join(f'# {name} = ["*"]'.ljust(28) + f" # {deed}" for name, deed in deeds().items()),
        policy=Policy(),
        row=row,
    )


def write_config(
    path: Path,
    *,
    ledger: str,
    lake: str,
    source: str | None,
    sources: Mapping[str, str] = MappingProxyType({}),
    pipeline: str | None = None,
    name: str | None = None,
    row: str = ROW,
) -> None:
    """Write fresh settings; its comments name every setting, and call what is delivered a `row`."""
    text = fresh_settings(
        FORMAT, ledger=ledger, lake=lake, source=source, sources=sources, pipeline=pipeline, name=name, row=row
    )
    path.write_text(text, encoding="utf-8")


def _quoted(text: str) -> str:
    """A text as TOML writes it: as JSON does, which lets only DEL stand."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
