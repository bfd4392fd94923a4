"""Threads that stay for the next work."""

import threading
from time import sleep

import pytest

from autowisp_xr.bridge.threads import in_threads, in_two_threads


def test_the_same_threads_do_the_next_work():
    used = []
    for _ in range(20):
        in_threads(lambda part: used.append(threading.current_thread().name), range(4))
    assert len(used) == 80
    assert all(name.startswith("autowisp-xr") for name in used)
    assert len(set(used)) < 20


def test_work_within_work_ends():
    done = []
    in_threads(lambda one: in_threads(lambda other: done.append((one, other)), range(4)), range(8))
    assert sorted(done) == [(one, other) for one in range(8) for other in range(4)]


def test_after_an_error_none_is_begun_and_those_that_were_are_waited_for():
    begun, ended = [], []

    def work(part):
        begun.append(part)
        if part == 0:
            raise ValueError("the first")
        sleep(0.02)
        ended.append(part)

    with pytest.raises(ValueError, match="the first"):
        in_threads(work, range(500))
    assert len(begun) < 500
    assert sorted(begun) == [0, *sorted(ended)]


@pytest.mark.parametrize("number", range(5))
def test_what_two_threads_make_is_in_the_order_of_what_they_were_given(number):
    at_once = []
    lock = threading.Lock()

    def work(part):
        with lock:
            at_once.append(part)
        found = len(at_once)
        with lock:
            at_once.remove(part)
        assert found <= 2
        return 10 * part

    assert in_two_threads(work, range(number)) == [10 * part for part in range(number)]
