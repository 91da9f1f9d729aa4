"""When Python looks for garbage: not while tens of thousands of values are made that hold no circles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def all_stays() -> Iterator[None]:
    """Python looks for no cycles within the block, which makes many values and no circles: it would go through all that
    there is again and again, a tenth of the time. For work of a second, not for work that waits."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
