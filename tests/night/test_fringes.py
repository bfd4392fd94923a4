"""Nights with a fringe frame among the masters of other nights."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import simulate
from tests.steps.frames import master, text


@pytest.fixture(scope="module")
def sky():
    return simulate.Night(shape=(80, 96), seed=5, gain=0.6, full_well=30_000, overscan=16)


def waves(shape):
    y, x = np.indices(shape)
    pattern = np.sin(x / 3 + y / 7)
    return pattern - np.median(pattern)


@pytest.fixture
def library(sky, tmp_path):
    """A directory with the fringe frame of a filter."""
    shape = sky.shape
    fringe = master(waves(shape), np.full(shape, 1e-4), np.zeros(shape), units="1")
    fringe = fringe.assign_coords(image_type=((), text("fringe")[0])).drop_vars("exposure")
    aw.to_fits(fringe, tmp_path / "library" / "fringe_V.fits")
    return tmp_path / "library"


def with_fringes(frames, strength):
    """Raw frames with so many ADU of the pattern, which overscan has not."""
    area = frames.autowisp.camera.image_area
    image = frames["image"].values.astype(int)
    shape = area.ymax - area.ymin, area.xmax - area.xmin
    image[..., area.ymin : area.ymax, area.xmin : area.xmax] += np.round(
        strength * waves(shape)
    ).astype(int)
    return frames.assign(image=frames["image"].copy(data=image.astype(frames["image"].dtype)))


def test_fringes_are_subtracted_from_lights_of_the_filter(sky, write_night, library, tmp_path):
    lights = with_fringes(sky.objects(2), 300.0)
    folder = write_night(sky.bias(3), sky.flat(3), lights, sky.objects(1, filter="R", start=11))
    summary = aw.reduce(folder, tmp_path / "out", camera=sky.camera, masters=library)
    masters = {made.what: made.masters for made in summary.made}
    assert masters["calibrated R_60s"] == {"bias": "bias"}
    assert masters["calibrated V_60s"]["fringe"] == str(library / "fringe_V.fits")
    made = aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/V_60s")
    off = made["fringe_scale"].values - 300
    assert np.abs(off / made["fringe_scale_uncertainty"].values).max() < 4
    assert np.abs(off).max() < 30
    again = aw.reduce(folder, tmp_path / "out", camera=sky.camera, masters=library)
    assert [one.what for one in again.made] == list(masters)


def test_fringes_that_are_not_seen_are_a_warning_in_the_summary(
    sky, write_night, library, tmp_path
):
    folder = write_night(sky.bias(3), sky.flat(3), sky.objects(2))
    summary = aw.reduce(folder, tmp_path / "out", camera=sky.camera, masters=library)
    notes = summary.made[-1].notes
    assert any(note.startswith("WARNING: the fringes of 2 of 2 planes are not") for note in notes)


def test_without_a_fringe_frame_nothing_is_missed(sky, write_night, tmp_path):
    folder = write_night(sky.bias(3), sky.objects(1))
    summary = aw.reduce(folder, tmp_path / "out", camera=sky.camera)
    assert "fringe" not in str(summary).replace(str(folder), "").replace(str(tmp_path), "")
