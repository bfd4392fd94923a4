"""The garbage collector while the package is imported."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from autowisp_xr.startup import collecting_later


def test_the_collector_waits_while_modules_are_imported():
    with collecting_later():
        with collecting_later():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), collecting_later():
        raise ImportError
    assert gc.isenabled()


def test_the_collector_waits_until_the_last_of_several_threads_is_done():
    step = Barrier(2, timeout=60)

    def first():
        with collecting_later():
            step.wait()
            step.wait()
        on = gc.isenabled()
        step.wait()
        return on

    def second():
        step.wait()
        with collecting_later():
            step.wait()
            step.wait()
            return gc.isenabled()

    with ThreadPoolExecutor(2) as pool:
        waits = [pool.submit(first), pool.submit(second)]
        assert [one.result() for one in waits] == [False, False]
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_so():
    gc.disable()
    try:
        with collecting_later():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_has_been_made_is_collected_once_nobody_needs_it():
    class Ring:
        pass

    with collecting_later():
        ring = Ring()
        ring.own, gone = ring, weakref.ref(ring)
    del ring
    gc.collect()
    assert gone() is None
    assert gc.get_freeze_count() == 0
