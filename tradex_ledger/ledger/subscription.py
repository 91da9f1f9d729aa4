"""Following the ledger as it grows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Event

from eventsourcing.persistence import ApplicationRecorder, Notification, Subscription

PAGE = 500


class FollowingSubscription(Subscription[ApplicationRecorder]):
    """The events after a position, then each new one as the database tells of it, or as it is found by asking again.

    It ends when `stop` is called, from any thread, without waiting for the next look.
    """

    def __init__(
        self,
        recorder: ApplicationRecorder,
        gt: int | None,
        topics: Sequence[str],
        *,
        wait: Callable[[Event], None],
    ) -> None:
        super().__init__(recorder, gt, topics)
        self._wait = wait
        self._page: deque[Notification] = deque()
        self._stopped = Event()

    def stop(self) -> None:
        """Ends the subscription; events already read but not handed out are dropped."""
        super().stop()
        self._stopped.set()

    def __next__(self) -> Notification:
        while not self._stopped.is_set():
            if self._page:
                return self._page.popleft()
            self._read_page()
            if not self._page:
                self._wait(self._stopped)
        raise StopIteration

    def _read_page(self) -> None:
        self._page.extend(
            self._recorder.select_notifications(
                self._last_notification_id,
                PAGE,
                topics=self._topics,
                inclusive_of_start=False,
            )
        )
        if self._page:
            self._last_notification_id = self._page[-1].id
