import os
import signal
import threading

import pytest

from sakeff import signals
from sakeff.signals import stop_request


def test_a_signal_is_noted_and_the_old_handler_comes_back():
    before = signal.getsignal(signal.SIGTERM)
    with stop_request() as request:
        assert request.received is None
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.received == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_same_wish_may_come_by_two_ways_and_a_second_one_acts_at_once(monkeypatch):
    with stop_request() as request:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert request.received == "SIGINT"
        monkeypatch.setattr(signals, "SAME_WISH", -1.0)  # as if time had passed
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_other_threads_are_left_alone():
    def listen():
        with stop_request() as request:
            seen.append(request.received)

    seen = []
    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [None]
