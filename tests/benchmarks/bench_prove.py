"""An inclusion proof, found, held against the signed root and written, in a ledger that is open; in this process.

`--of WORKSPACE` asks a ledger that is there already, and writes nothing beside it; `--large`: 10 M events are made.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks import made_ledger, measure
from tradex_ledger.keyed import Caches
from tradex_ledger.ledger.ask import at_positions
from tradex_ledger.ledger.merkle import Tree
from tradex_ledger.ledger.select import Store, open_store
from tradex_ledger.ledger.tree import ask_tree
from tradex_ledger.sealing.checkpoint import Checkpoint, SignedCheckpoint, opened_checkpoint, origin_of, sealed
from tradex_ledger.sealing.note import ED25519, SignerKey
from tradex_ledger.sealing.proof import parsed, proven
from tradex_ledger.sealing.proving import proofs

GOAL_MS = 10
TIMES = 200


def timed_ms(work: Callable[[], object]) -> float:
    """Milliseconds of some work."""
    since = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - since)


def head_of(store: Store) -> tuple[SignedCheckpoint, SignerKey]:
    """The signed head of a ledger, by a key of the moment."""
    signer = SignerKey(origin_of(store.ledger), ED25519, random.Random(1).randbytes(32))
    size = store.position()
    head = Checkpoint(signer.name, size, ask_tree(store, size, Tree.root))
    return opened_checkpoint(sealed(head, signer), [signer.verifier]), signer


def main() -> None:
    options = measure.parser(__doc__)
    options.add_argument("--of", type=Path, help="a workspace whose ledger is asked")
    options.add_argument("--large", action="store_true", help="10 M events")
    given = options.parse_args()
    chance = random.Random(7)
    with measure.folder(given.work) as work, TemporaryDirectory() as caches:
        made = given.of or work / "made" / "workspace"
        if not made.exists():
            made_ledger.make(made.parent, 6_000 if given.quick else 10_000_000 if given.large else 1_000_000)
        store = replace(open_store(f"sqlite:///{made / 'ledger.db'}"), caches=Caches(Path(caches)))
        signed, signer = head_of(store)
        size = signed.checkpoint.size
        positions = [chance.randint(1, size) for _ in range(given.times or TIMES)]
        texts: list[tuple[str, str]] = []

        def prove(position: int) -> None:
            (event,) = at_positions(store, [position])
            (proof,) = proofs(store, signed, [event])
            texts.append((proof.text, event.entry))

        first = [timed_ms(lambda: prove(positions[0]))]
        each = [timed_ms(lambda position=position: prove(position)) for position in positions]  # type: ignore[misc]  # mypy infers no lambda with a default
        checks = [
            timed_ms(lambda text=text, entry=entry: proven(parsed(text), entry.encode(), [signer.verifier]))  # type: ignore[misc]  # as above
            for text, entry in texts
        ]
    lines = [
        ("", "median [min, max]", "goal"),
        ("the first proof, where no head kept the edge of its tree, ms", measure.spread(first), ""),
        ("a proof, ms", measure.spread(each), f"≤ {GOAL_MS}"),
        ("its check, ms", measure.spread(checks), ""),
        ("its length, bytes", measure.spread([len(text) for text, _ in texts], 0), ""),
    ]
    measure.table(f"inclusion proofs, {size:,} events", lines)


if __name__ == "__main__":
    main()
