"""What tells pages that the ledger has moved: one look a second for all who listen, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from threading import Event

from anyio import to_thread

LOOK_SECONDS = 1.0
ALIVE_SECONDS = 15.0
"""So often something is said to who listens: else a proxy takes the line for dead."""
STEP_SECONDS = 0.2


class Live:
    """The position that was seen last, and whether the server is to stop."""

    def __init__(self) -> None:
        self.position = 0
        self.listeners = 0
        self.stopping = Event()

    async def follow(self, look: Callable[[], int]) -> None:
        """Look at the ledger as long as anybody listens; until the server stops."""
        waited = 0.0
        while not self.stopping.is_set():
            await asyncio.sleep(STEP_SECONDS)
            waited += STEP_SECONDS
            if self.listeners and waited >= LOOK_SECONDS:
                waited = 0.0
                self.position = await to_thread.run_sync(look)

    async def told(self, after: int) -> AsyncIterator[str]:
        """An event for each position that is seen, from behind one; it ends when the server stops."""
        self.listeners += 1
        try:
            said, quiet = after, ALIVE_SECONDS
            while not self.stopping.is_set():
                if self.position > said:
                    said, quiet = self.position, 0.0
                    yield f"event: position\ndata: {said}\n\n"
                elif quiet >= ALIVE_SECONDS:
                    quiet = 0.0
                    yield ": still here\n\n"
                await asyncio.sleep(STEP_SECONDS)
                quiet += STEP_SECONDS
        finally:
            self.listeners -= 1
