"""The garbage collector while the package is imported, and at the end of a process."""

import gc
import subprocess
import sys

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


def test_a_process_ends_without_a_look_at_what_was_imported():
    code = (
        "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 50_000))\n"
        "import autowisp_xr as aw; print(gc.isenabled(), gc.get_freeze_count())\n"
        "aw.open_fits; print(gc.isenabled(), gc.get_freeze_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "0", "True", "0", "True"]
