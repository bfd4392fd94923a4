"""The garbage collector while the package is imported."""

import gc

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
