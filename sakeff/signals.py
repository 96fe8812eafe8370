"""SIGTERM and Ctrl-C ask a run to stop after its current step instead of tearing it down."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from types import FrameType
from typing import Iterator, Optional

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """`received` is the name of the signal that came in, or None."""

    def __init__(self) -> None:
        self.received: Optional[str] = None

    def __call__(self, number: int, frame: Optional[FrameType]) -> None:
        """A signal handler. A second signal acts at once."""
        self.received = signal.Signals(number).name
        for other in SIGNALS:
            signal.signal(other, signal.default_int_handler)


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Listens inside the block; the handlers from before come back afterwards. Deaf outside the main thread."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
