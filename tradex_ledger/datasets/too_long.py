"""That a statement took too long: known without the engine, which costs a process a third of its memory."""

from __future__ import annotations

from tradex_ledger.errors import EnvironmentFault


class TookTooLongError(EnvironmentFault):
    """A statement was ended because it took longer than it may.

    `goes_on`: the engine did not hear that it should end, and its thread is left behind.
    """

    code = "too-long"

    def __init__(self, what: str, minutes: float, mend: str, *, goes_on: bool = False) -> None:
        unit = "minute" if minutes == 1 else "minutes"
        super().__init__(f"{what} took longer than {minutes:g} {unit}, and was ended", mend=mend)
        self.goes_on = goes_on
