"""A small simulated night on disk, as a camera would leave it."""

import pytest

import autowisp_xr as aw
from autowisp_xr import simulate

SHAPE = (40, 56)


@pytest.fixture(scope="session")
def sky():
    return simulate.Night(shape=SHAPE, seed=5, gain=0.6, full_well=30_000, overscan=16)


@pytest.fixture
def write_night(tmp_path):
    """A function that writes frame sets as raw files, and gives their directory."""

    def write(*sets, folder="raw"):
        for frames in sets:
            aw.to_fits(frames, tmp_path / folder / "{RAWFNAME}.fits")
        return tmp_path / folder

    return write
