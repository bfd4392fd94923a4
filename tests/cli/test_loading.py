"""Imports in a process that has just begun."""

import subprocess
import sys

import numpy as np
from astropy.io import fits


def reported_by(code, *arguments):
    """What a new process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_the_collector_waits_and_then_leaves_alone_what_was_imported():
    code = (
        "import gc; from autowisp_xr.cli.loading import loading\n"
        "with loading(): print(gc.isenabled())\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 1000)"
    )
    assert reported_by(code) == ["False", "True", "True"]


def test_after_an_import_that_fails_garbage_is_collected_as_before():
    code = (
        "import gc; from autowisp_xr.cli.loading import load\n"
        "try: load('json.nothing')\n"
        "except ImportError: print(gc.isenabled())"
    )
    assert reported_by(code) == ["True"]


def test_one_within_the_other_does_no_harm():
    code = (
        "import gc; from autowisp_xr.cli.loading import load, loading\n"
        "with loading(): load('json'); print(gc.isenabled())\n"
        "print(gc.isenabled())"
    )
    assert reported_by(code) == ["False", "True"]


def test_a_process_that_has_computed_is_left_as_it_is():
    code = (
        "import gc, sys; import numba; from autowisp_xr.cli.loading import load, loading\n"
        "with loading(): print(gc.isenabled())\n"
        "load('json.tool'); print('json.tool' in sys.modules, gc.get_freeze_count())"
    )
    assert reported_by(code) == ["True", "True", "0"]


def test_a_stack_loads_neither_a_cluster_nor_what_it_does_not_use(tmp_path):
    for number in range(10):
        image = np.full((4, 5), number, np.uint16)
        fits.PrimaryHDU(image, fits.Header({"EXPTIME": 3.0})).writeto(tmp_path / f"{number}.fits")
    code = (
        "import sys; from autowisp_xr.cli import main\n"
        "status = main(['stack', sys.argv[1], '--stacked-master-fname', sys.argv[2],\n"
        "    '--add-averaged-keywords', 'EXPTIME', '--std-out-err-fname', sys.argv[3]])\n"
        "names = ('distributed', 'zarr', 'matplotlib', 'autowisp_xr.expressions.evaluation',\n"
        "    'astropy.wcs', 'astropy.time')\n"
        "print(status, *[name for name in names if name in sys.modules])"
    )
    master = tmp_path / "masters" / "m.fits"
    assert reported_by(code, tmp_path, master, tmp_path / "log.txt") == ["0"]
    assert fits.getdata(master).tolist() == [[4.5] * 5] * 4
