"""Folders of real frames, each reduced once."""

import re
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import median_filter

import autowisp_xr as aw

pytestmark = pytest.mark.real

TELESCOPE, OBSERVATORY, LADDER = (
    "arcsat_flarecam_xo1_2025",
    "stonybrook_stl1001",
    "uw_st7_flat_ladder",
)
TYPES = {OBSERVATORY: {"flat-*": "flat"}}
"""What headers do not state."""


@pytest.fixture(scope="module")
def reduced(real, tmp_path_factory):
    """Return the summary of a folder by its name, and where its results are."""

    @cache
    def reduce(name):
        out = tmp_path_factory.mktemp(name)
        return aw.reduce(real / name, out, types=TYPES.get(name)), out

    return reduce


@pytest.mark.parametrize(
    ("name", "made", "left_out"),
    [
        (
            OBSERVATORY,
            {
                "master bias": 10,
                "master dark_60s": 11,
                "master dark_30s": 1,
                "master dark_150s": 1,
                "master dark_300s": 1,
                "master flat_Visible": 10,
            },
            0,
        ),
        (LADDER, {"master bias": 5, "master flat": 20}, 0),
        ("msfc_esis_overscan", {}, 4),
        (
            "lco_floyds_fz",
            {
                "master flat_air_2020-03-21": 1,
                "master flat_air_2021-01-26": 1,
                "calibrated air_300.065s": 1,
                "calibrated air_2700.08s": 1,
            },
            2,
        ),
    ],
)
def test_the_summary_states_what_they_are(name, made, left_out, reduced):
    summary, _ = reduced(name)
    assert {one.what: len(one.inputs) for one in summary.made} == made
    assert len(summary.left_out) == left_out
    if name == OBSERVATORY:
        note, _ = summary.notes
        gain = float(re.search(r"gain ([0-9.]+)", note)[1])
        assert abs(gain / 1.93 - 1) < 0.05
        assert note.endswith("the header states EGAIN = 2.06")
    if name == "lco_floyds_fz":
        assert "GAIN = 2.3 in the headers may be a setting" in summary.notes[0]


@pytest.mark.parametrize("name", [TELESCOPE, OBSERVATORY, "seestar_s50_bayer"])
def test_nothing_that_is_made_of_good_frames_is_doubted(name, reduced):
    summary, _ = reduced(name)
    stated = [*summary.notes, *(note for made in summary.made for note in made.notes)]
    assert [note for note in stated if note.startswith("DOUBT")] == []
    assert summary.made


def test_flats_of_two_lamps_some_of_them_saturated_are_doubted(reduced):
    summary, _ = reduced(LADDER)
    (flat,) = [made for made in summary.made if made.group == "masters/flat"]
    assert any("differ in shape" in note for note in flat.notes)


def test_the_night_of_a_small_telescope_by_the_facts_of_its_camera(real, tmp_path):
    camera = aw.Camera(gain=1.38, read_noise=15.9)
    summary = aw.reduce(real / TELESCOPE, tmp_path / "out", camera=camera)
    assert [(made.what, len(made.inputs)) for made in summary.made] == [
        ("master bias", 5),
        ("master dark_60s", 5),
        ("master flat_z", 5),
        ("calibrated z_60s", 3),
    ]
    assert summary.left_out == summary.failed == {}
    for path in summary.made[-1].files:
        assert abs(sky_noise(aw.open_fits(path).isel(frame=0)) - 1) < 0.1


def test_the_night_of_a_small_telescope_needs_no_camera_file(reduced):
    summary, out = reduced(TELESCOPE)
    assert len(summary.made[-1].inputs) == 3
    camera = aw.Camera.from_toml(out / "camera.toml")
    assert abs(camera.gain / 1.36 - 1) < 0.05
    assert abs(camera.read_noise / camera.gain / 11.8 - 1) < 0.05
    science = aw.open_zarr(out / "night.zarr", group="calibrated/z_60s")
    for frame in range(3):
        assert abs(sky_noise(science.isel(frame=frame)) - 1) < 0.1
        assert far_below(science.isel(frame=frame, channel=0)) <= 1
    unusable = (science["mask"].values & np.uint8(aw.Flag.FAULT)) != 0
    assert unusable.mean() < 2e-3


def far_below(science):
    """How many usable pixels are ten uncertainties below the median of the 24 around them."""
    around = np.ones((5, 5), bool)
    around[2, 2] = False
    usable = (science["mask"].values & np.uint8(aw.Flag.UNUSABLE)) == 0
    image = np.where(usable, science["image"], np.median(science["image"].values[usable]))
    depth = median_filter(image, footprint=around) - image
    return int(np.count_nonzero(usable & (depth > 10 * np.sqrt(science["variance"].values))))


def sky_noise(science):
    """Scatter of neighbours, which share sky and flat, in units of their errors."""
    image, error = science["image"].values[0], np.sqrt(science["variance"].values[0])
    good = science["mask"].values[0] == 0
    pairs = (image[:, 1::2] - image[:, ::2]) / np.hypot(error[:, 1::2], error[:, ::2])
    pairs = pairs[good[:, 1::2] & good[:, ::2]]
    return 1.4826 * np.median(np.abs(pairs - np.median(pairs)))
