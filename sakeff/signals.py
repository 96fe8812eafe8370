"""SIGTERM and Ctrl-C ask a run to stop after its current step instead of tearing it down."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from types import FrameType
from typing import Iterator, Optional

SIGNALS = (signal.SIGTERM, signal.SIGINT)
SAME_WISH = 2.0  # seconds; torchrun hands Ctrl-C on to processes that the terminal has told already


class StopRequest:
    """`received` is the name of the signal that came in, or None."""

    def __init__(self) -> None:
        self.received: Optional[str] = None
        self._since = 0.0

    def __call__(self, number: int, frame: Optional[FrameType]) -> None:
        """A signal handler. A second wish acts at once, by `KeyboardInterrupt`."""
        if self.received is None:
            self.received, self._since = signal.Signals(number).name, time.monotonic()
        elif time.monotonic() - self._since > SAME_WISH:
            raise KeyboardInterrupt


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
