"""Where a call begins, and how Ctrl-C, SIGTERM and SIGHUP end it.

The first signal raises in the main thread, as Python does for Ctrl-C, between two saves: what is under way is left as a
crash would leave it, and leases are given back. A thread beside it hears of signals through a pipe. It sees to it that
the main thread raises again where the first time was lost (DuckDB does so when it connects); what cannot hear at all
(SQLite waits for a lock, a name is looked up in the net) it cuts off after `PATIENCE_S`, and everything at once after a
second signal.

Loads nothing of ours before the handlers are there: a signal may come while the program is being imported.
"""

from __future__ import annotations

import _thread
import atexit
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from types import FrameType, TracebackType

PATIENCE_S = 1.0
_AGAIN_S = 0.1
_ONE_S = 0.1  # a signal to the process and to its group arrives twice, and is one
_GIVE_BACK_S = 0.3
_NAMES = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", "SIGHUP": "SIGHUP"}
_SHOW_CURSOR = "\x1b[?25h"


def text(number: int) -> str:
    """What is said of a call that a signal ended."""
    name = _NAMES[signal.Signals(number).name]
    return f"interrupted ({name}): what was done is on record, and the same command resumes"


def _numbers() -> list[int]:
    """The signals that end a call, as far as the system has them."""
    return [int(getattr(signal, name)) for name in _NAMES if hasattr(signal, name)]


class Interruption:
    """The signals that end this process: which came first, and whether it was said."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.was_said = False
        self._is_over = False
        self._lock = threading.Lock()
        self._ending = threading.Lock()
        """Whose the end is, the main thread's or that of the thread beside it: taken once, and never given back."""

    @property
    def status(self) -> int:
        """The exit status, as shells count it."""
        return 128 + (self.number or signal.SIGINT)

    def listen(self) -> None:
        """Take the signals over; what was to be ignored (`nohup`, a job in the background) stays ignored."""
        heard, told = os.pipe()
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        for number in _numbers():
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._raise)
        threading.Thread(target=self._watch, args=(heard,), daemon=True).start()

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        self.number = self.number or number
        if not self._is_over and not _is_saving() and not _is_heard(sys.exception()):
            raise KeyboardInterrupt

    def __enter__(self) -> Interruption:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The end of the call: whatever came up after a signal is the interruption, and no finding."""
        self._is_over = True
        self._ending.acquire()  # for good, where the process is being cut off
        if self.number is not None:
            for number in _numbers():
                signal.signal(number, signal.SIG_IGN)  # while the interpreter is taken down, Python hears nothing
            self._say()
            raise SystemExit(self.status) from None

    def _watch(self, heard: int) -> None:
        """Wait for signals, beside the main thread, which may be deaf."""
        numbers = _numbers()
        first = 0
        while not first:
            first = next((number for number in os.read(heard, 64) if number in numbers), 0)
        self.number = self.number or first
        began, own = time.monotonic(), 0
        while time.monotonic() < began + PATIENCE_S:
            ready, _, _ = select.select([heard], [], [], _AGAIN_S)
            others = sum(number in numbers for number in os.read(heard, 64)) if ready else 0
            own, others = max(0, own - others), max(0, others - own)
            if others and time.monotonic() - began > _ONE_S:
                break
            if not ready and not self._is_over:
                own += 1  # it comes through the pipe, too
                _thread.interrupt_main(signal.Signals(first))
        self._cut_off()

    def _cut_off(self) -> None:
        """End the process now, whatever it does: as a crash does, but for its workers and its leases.

        What is to be done at the exit is done here only where the main thread has not come to it, and then the main
        thread waits: both at once would take DuckDB down while it is being taken down, and abort.
        """
        is_ours = self._ending.acquire(blocking=False)
        workers = sys.modules.get("multiprocessing")  # not imported here: it takes a tenth of the start
        for child in workers.active_children() if workers else ():
            child.kill()
        for task in (_give_leases_back, *((atexit._run_exitfuncs,) if is_ours else ())):
            thread = threading.Thread(target=task, daemon=True)
            thread.start()
            thread.join(_GIVE_BACK_S)
        self._say()
        os._exit(self.status)

    def _say(self) -> None:
        """One line, by whoever comes first; past the streams, which a thread that hangs may hold."""
        with self._lock:
            if self.was_said or self.number is None:
                return
            self.was_said = True
        with suppress(OSError):  # the terminal has gone, say
            begin = (_SHOW_CURSOR if os.isatty(2) else "") + ("\n" if _is_drawn() else "")
            os.write(2, f"{begin}{text(self.number)}\n".encode())


def _is_saving() -> bool:
    """Whether the main thread is in a transaction that writes: it is soon done, or undone, as a whole."""
    store = sys.modules.get("tradex_ledger.ledger.store")
    return store is not None and store.saving.depth > 0


def _is_drawn() -> bool:
    """Whether the terminal's last line shows what goes on."""
    bars = sys.modules.get("tradex_ledger.cli.bars")
    return bars is not None and bool(bars.BARS.is_open)


def _is_heard(error: BaseException | None) -> bool:
    """Whether what is being handled is an interruption; then blocks are being left, and are let do so."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt) or str(error) == "Query interrupted":  # as DuckDB says it
            return True
        error = error.__context__
    return False


def _give_leases_back() -> None:
    lease = sys.modules.get("tradex_ledger.driving.lease")
    if lease is not None:
        lease.give_all_back()


interruption = Interruption()


def start() -> None:
    """The command `tradex`."""
    # A signal that comes while an object is taken down cannot be raised there; the thread beside hears it, too.
    sys.unraisablehook = _quiet
    with interruption:
        interruption.listen()
        from tradex_ledger.cli.main import main

        main()


def _quiet(unraisable: sys.UnraisableHookArgs) -> None:
    if interruption.number is None:
        sys.__unraisablehook__(unraisable)
