"""The garbage collector while the package is imported."""

import gc

import pytest

from autowisp_xr.startup import importing


def test_the_collector_waits_while_modules_are_imported():
    with importing():
        with importing():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()
