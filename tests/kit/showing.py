"""Which commands show something, which of now, and which do something."""

from __future__ import annotations

SHOWING: dict[str, list[tuple[str, ...]]] = {
    "status": [()],
    "calendar": [("--from", "2024-01-01"), ("gold_metrics", "--older")],
    "state show": [()],
    "state history": [()],
    "dataset list": [()],
    "dataset show": [("gold_metrics", "--partitions")],
    "dataset lineage": [("gold_metrics",)],
    "engine list": [()],
    "alerts": [()],
    "spending": [()],
    "bronze list": [()],
    "query": [
        ("select * from gold_metrics order by all",),
        ("select run_id, status from runs order by all",),
        ("select topic, count(*) from events group by 1 order by 1",),
    ],
    "audit log": [()],
    "audit history": [("BACKFILL",), ("gold_metrics",)],
    "audit why": [("gold_metrics", "2024-01-03"), ("bronze_x_posts", "2024-01-03", "--text")],
    "audit diff": [("gold_metrics", "--versions", "1", "1")],
    "policy show": [()],
    "policy key list": [(), ("--allowed-signers",)],
    "ledger show": [()],
    "ledger epoch": [()],
    "ledger copy": [()],
    "lake prune": [("gold_metrics",)],
    "lake lost": [(), ("gold_metrics",)],
    "backfill list": [()],
    "backfill show": [("BACKFILL",), ("BACKFILL", "--timeline")],
}
"""Each command that shows something, with calls of it."""
NOW = {
    "lake gc": "what lies in the lake and no event names, to be removed: it is looked at as it is",
    "backfill propose": "what should be done now",
    "mirror list": "how mirrors stand now; each of them is as of a position",
    "feed list": "how far each receiver has come by now",
    "metrics": "numbers of now, for who collects them again and again",
    "trust": "settings of the user, in no ledger",
    "dataset preview": "what a definition of today would make of what there is now",
    "dataset diff": "texts: of the file of today, and of versions, which stay as they are",
    "audit check": "a folder of evidence, of no ledger at hand",
    "policy set": "with --dry-run: what would be proposed now",
    **dict.fromkeys(
        (
            *(f"audit {name}" for name in ("verify", "prove", "export", "report", "reproduce")),
            *(f"ledger {name}" for name in ("checkpoint", "key", "witness", "tiles")),
            *("projection list", "projection rebuild", "mirror sync", "mirror rebuild"),
        ),
        "it is about the record itself: its options say which part of it",
    ),
}  # fmt: skip
"""Those that show what is no answer of the ledger as of a position, and why."""
DOING = {
    *("init", "demo", "run", "worker", "retract", "serve", "alerts ack", "engine accept", "lake erase"),
    *("bronze quarantine", "bronze release"),
    *(f"dataset {name}" for name in ("bump", "deprecate", "restore", "protect", "unprotect")),
    *(f"policy {name}" for name in ("approve", "reject", "adopt")),
    *(f"policy key {name}" for name in ("add", "approve", "reject", "revoke")),
    *(f"ledger {name}" for name in ("grants", "backup", "restore")),
    "feed send",
    *(f"backfill {name}" for name in ("approve", "reject", "cancel", "run", "pause", "resume", "release", "revert")),
    *(f"backfill request {kind}" for kind in ("temporal", "dataset", "logical", "forced")),
}
"""Those that put something on record, or would."""
