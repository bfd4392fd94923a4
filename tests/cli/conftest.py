"""Stand-ins for the classes that the steps rest on, which record what they were asked for."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

from autowisp_xr import image_calibration
from autowisp_xr.image_calibration.classified_files import FlatClasses


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current directory, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def frames(here):
    """Three small FITS files in raw/, of which the second is a dark."""
    (here / "raw").mkdir()
    paths = []
    for number, kind in enumerate(("object", "dark", "object"), start=9):
        header = fits.Header({"IMAGETYP": kind, "EXPTIME": 10.0 * number, "CAMSN": "A/7"})
        path = here / "raw" / f"f{number}.fits"
        fits.writeto(path, np.ones((4, 6), np.uint16), header)
        paths.append(f"raw/{path.name}")
    return paths


@pytest.fixture
def calibrator(monkeypatch):
    """In place of Calibrator: ``arguments`` and ``files`` are what it was given."""

    class Stand:
        arguments: dict
        files: list
        fails: dict

        def __init__(self, **arguments):
            Stand.arguments, Stand.files = arguments, []

        def __call__(self, file):
            Stand.files.append(file)
            if Path(file).name in Stand.fails:
                raise Stand.fails[Path(file).name]
            quantiles = Stand.arguments["diagnostic_quantiles"]
            return {"R": [("pixel_q5", 12.5)]} if quantiles else None

    Stand.fails = {}
    monkeypatch.setattr(image_calibration, "Calibrator", Stand)
    return Stand


@pytest.fixture
def master_maker(monkeypatch):
    """In place of MasterMaker: ``arguments``, ``called`` are what it was given."""

    class Stand:
        arguments: dict
        called: tuple
        returns = (True, [])

        def __init__(self, **arguments):
            Stand.arguments = arguments

        def __call__(self, files, name, **options):
            Stand.called = files, name, options
            return Stand.returns

    monkeypatch.setattr(image_calibration, "MasterMaker", Stand)
    return Stand


@pytest.fixture
def master_flat_maker(monkeypatch):
    """In place of MasterFlatMaker: ``arguments``, ``called`` are what it was given.

    It finds the classes of ``kinds`` in turn, and makes the masters of ``success``.
    """

    class Stand:
        arguments: dict
        called: tuple
        kinds = ("high", "low", "medium")
        success = dict.fromkeys(("high", "low"), True)
        notes = ()

        def __init__(self, **arguments):
            Stand.arguments = arguments

        def __call__(self, files, *names, **options):
            Stand.called = (files, *names, options)
            kinds = Stand.kinds[: len(files)]
            text = np.dtypes.StringDType()
            table = xr.Dataset(
                {
                    "class": ("frame", np.array(kinds, text)),
                    "reason": ("frame", np.array([f"it is {kind}" for kind in kinds], text)),
                },
                attrs={"notes": list(Stand.notes)},
            )
            return FlatClasses.of(Stand.success, table, files)

    monkeypatch.setattr(image_calibration, "MasterFlatMaker", Stand)
    return Stand
