"""Nights with a fringe frame among the masters of other nights."""

import numpy as np
import pytest
from astropy.io import fits

import autowisp_xr as aw
from autowisp_xr import simulate
from tests.night.reducing import reduce
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
    summary = reduce(folder, tmp_path / "out", camera=sky.camera, masters=library)
    masters = {made.what: made.masters for made in summary.made}
    assert masters["calibrated R_60s"] == {"bias": "bias"}
    assert masters["calibrated V_60s"]["fringe"] == str(library / "fringe_V.fits")
    made = aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/V_60s")
    off = made["fringe_scale"].values - 300
    assert np.abs(off / made["fringe_scale_uncertainty"].values).max() < 4
    assert np.abs(off).max() < 30


def test_fringes_that_are_not_seen_are_a_warning_in_the_summary(
    sky, write_night, library, tmp_path
):
    folder = write_night(sky.bias(3), sky.flat(3), sky.objects(2))
    summary = reduce(folder, tmp_path / "out", camera=sky.camera, masters=library)
    notes = summary.made[-1].notes
    assert any(note.startswith("WARNING: the fringes of 2 of 2 planes are not") for note in notes)


def dithered(sky, rng, number):
    """Raw lights of a sky with fringes, each with stars of its own."""
    frames = sky.objects(number)
    area = frames.autowisp.camera.image_area
    light = 800.0 * (1 + 0.1 * waves(sky.shape)) * np.ones((number, 1, 1, 1))
    for frame in light[:, 0]:
        for row, column in rng.integers(3, 77, (8, 2)):
            frame[row - 2 : row + 3, column - 2 : column + 3] += 3000.0
    # a bias of one level, that nothing else is taken off
    image = frames["image"].values.copy()
    level = np.median(image[..., area.xmax :])
    seen = level + rng.poisson(light * 0.6) / 0.6 + rng.normal(0, 10, light.shape)
    image[..., area.ymin : area.ymax, area.xmin : area.xmax] = np.round(seen)
    return frames.assign(image=frames["image"].copy(data=image))


def pointed(folder, step):
    """Let the pointings of the lights differ by so many degrees."""
    for number, path in enumerate(sorted(folder.glob("object*.fits"))):
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["DEC"] += number * step


def test_fringe_frames_are_made_of_dithered_lights_when_asked(sky, write_night, tmp_path):
    rng = np.random.default_rng(8)
    folder = write_night(sky.bias(3), dithered(sky, rng, 6))
    pointed(folder, 0.01)
    given = {"camera": sky.camera, "defects": "none"}
    summary = reduce(folder, tmp_path / "out", make_fringes=True, **given)
    assert [made.what for made in summary.made] == [
        "master bias", "master fringe_V_60s", "calibrated V_60s",
    ]  # fmt: skip
    assert summary.made[-1].masters["fringe"] == "fringe_V_60s"
    assert "6 of 6 lights calibrated" in summary.verdict
    made = aw.open_zarr(tmp_path / "out" / "night.zarr", group="calibrated/V_60s")
    assert made["fringe_scale"].values == pytest.approx(800, rel=0.1)
    plain = reduce(folder, tmp_path / "plain", **given)
    assert [made.what for made in plain.made] == ["master bias", "calibrated V_60s"]
    assert "fringe" not in str(plain).replace(str(tmp_path), "")


def test_lights_that_were_not_dithered_make_no_fringe_frame_and_go_without(
    sky, write_night, tmp_path
):
    folder = write_night(sky.bias(3), sky.objects(3))
    summary = reduce(folder, tmp_path / "out", make_fringes=True, camera=sky.camera)
    assert [made.what for made in summary.made] == ["master bias", "calibrated V_60s"]
    assert any("pointed within 0.0 arcsec of each other" in note for note in summary.notes)
    assert not summary.failed
