"""What sets the scale of flats: light, where all frames can be compared, and no star."""

from dataclasses import replace

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Camera, Flag, FlatSelection, provenance
from autowisp_xr.image_smoothing import PolynomialImageSmoother
from autowisp_xr.testing import assert_frames_equal
from tests.flats.flat_sets import SHAPE, flats, response
from tests.steps.frames import frame_set

Y, X = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
MIDDLE = np.hypot(Y, X) < 0.7
HOW = {"dtype": "float64"}
SELECTION = FlatSelection.dome(
    large_scale_smoother=PolynomialImageSmoother(num_x_terms=2, num_y_terms=2),
    cloud_check_smoother=None,
    large_scale_deviation_threshold=None,
    cloudy_frame_threshold=None,
    min_high_frames=3,
)
AVERAGES = [{}, {"average": "mean"}, {"average": "mean", "weights": "variance"}]


def partly_saturated():
    """Seven flats, of which the bright ones saturate where the response is high."""
    ds = flats([20e3, 25e3, 30e3, 35e3, 54e3, 56e3, 58e3], seed=2)
    ds["mask"][4:, 0] = np.where(MIDDLE, Flag.OVERSATURATED, 0)
    ds["image"][4:, 0] = np.where(MIDDLE, 60e3, ds["image"][4:, 0])
    return ds


def with_stars(seed=4, number=12):
    """Twilight flats with a per cent of their light in stars, more in some than in others."""
    rng = np.random.default_rng(seed)
    levels = rng.uniform(18e3, 40e3, number)
    ds = flats(levels, seed=seed)
    rows, columns = np.indices(SHAPE)
    for frame, level in enumerate(levels):
        light = 0.0
        total = rng.uniform(0.003, 0.017) * level * rows.size
        while light < total:
            y, x = rng.uniform(0, SHAPE[0]), rng.uniform(0, SHAPE[1])
            flux = min(10 ** rng.uniform(4, 6), total)
            star = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 4.5) * flux / (4.5 * np.pi)
            ds["image"][frame, 0] += star.astype("f4")
            light += flux
    return ds


def edge_over_middle(flat):
    """By what the edge of a flat is too bright against its middle."""
    ratio = flat["image"].values[0] / response()[0]
    return np.median(ratio[~MIDDLE]) / np.median(ratio[MIDDLE]) - 1


# ---------------------------------------------------------------------- saturated in some frames


@pytest.mark.parametrize("options", AVERAGES, ids=str)
@pytest.mark.parametrize("select", [None, replace(SELECTION, max_saturated_fraction=None)])
def test_frames_are_compared_where_all_are_good(select, options):
    made = aw.master_flat(partly_saturated(), select=select, **HOW, **options)
    assert abs(edge_over_middle(made.high)) < 5e-4
    assert made.high["count"].values[0, MIDDLE].tolist() == [4] * MIDDLE.sum()
    # what the others state of the middle is not low: all are brought to one level
    assert not made.high["mask"].values.any()
    pulls = (made.high["image"] - response()) / np.sqrt(made.high["variance"])
    assert pulls.values.std() == pytest.approx(1, abs=0.05)


def test_of_lazy_frames_the_bits_are_the_same():
    ds = partly_saturated()
    expected = aw.master_flat(ds)
    lazy = aw.master_flat(ds.chunk(frame=2, y=50).assign_coords(ds.coords))
    assert lazy.high["image"].chunks is not None
    assert_frames_equal(lazy.high, expected.high)
    assert_frames_equal(lazy.frames, expected.frames)


def test_a_frame_that_leaves_too_few_pixels_is_left_out_and_reported():
    ds = partly_saturated()
    ds["mask"][6, 0] = np.where(np.abs(X) < 0.97, Flag.OVERSATURATED, 0)
    reason = (
        "it is good in 3.57 % of the pixels that another is good in, and leaves too few to compare "
        "their levels"
    )
    made = aw.master_flat(ds)
    assert made.frames["class"].values.tolist() == ["high"] * 6 + ["saturated"]
    assert made.frames["reason"].values[6] == reason
    assert np.isnan(made.frames["mean"].values[:, 0]).tolist() == [False] * 6 + [True]
    assert abs(edge_over_middle(made.high)) < 5e-4
    assert int(made.high["count"].max()) == 6
    lazy = aw.master_flat(ds.chunk(frame=1).assign_coords(ds.coords)).high
    with pytest.warns(aw.AutowispWarning, match=f"the flat flat-6 takes no part: {reason}"):
        assert_frames_equal(lazy, made.high)


def test_a_selected_frame_that_leaves_too_few_pixels_is_left_out_and_reported():
    ds = flats([1e4, 1.1e4, 1.2e4, 1.3e4], seed=3)
    ds["mask"][3, 0] = np.where(np.hypot(Y, X) > 0.2, Flag.OVERSATURATED, 0)
    made = aw.master_flat(ds, select=replace(SELECTION, fraction=0.1))
    assert made.frames["class"].values.tolist() == ["high"] * 3 + ["saturated"]
    assert "leaves too few to compare their levels" in made.frames["reason"].values[3]
    assert int(made.high["count"].max()) == 3


def test_a_channel_that_saturates_leaves_the_others_of_its_frame():
    ds = flats([[9e3, 5e3], [1e4, 6e3], [1.1e4, 7e3]])
    ds["mask"][2, 0] = Flag.OVERSATURATED
    made = aw.master_flat(ds)
    assert made.frames["class"].values.tolist() == ["high"] * 3
    assert made.frames["reason"].values[2] == "A: its pixels are flagged or not finite"
    assert made.high["count"].max(("y", "x")).values.tolist() == [2, 3]


def test_a_frame_without_light_states_so():
    image = np.array([[8.0, 10.0, 12.0], [-1.0, 0.0, -2.0], [16.0, 20.0, 24.0]])[:, None, None]
    made = aw.master_flat(frame_set(image, kind="flat", variance=np.ones_like(image)))
    assert made.frames["class"].values.tolist() == ["high", "medium", "high"]
    assert made.frames["reason"].values[1] == "it has no light: its mean is -1, no more than noise"
    np.testing.assert_allclose(made.high["image"].values.ravel(), [0.8, 1.0, 1.2])


def first_closed(ds):
    """Flats of which the first was taken with the shutter closed, its bias a little off."""
    ds = ds.copy(deep=True)
    ds["image"][0] = np.random.default_rng(7).normal(2, 4, ds["image"].shape[1:])
    return ds


@pytest.mark.parametrize("number", [2, 3, 6], ids=str)
def test_a_frame_of_a_closed_shutter_takes_no_part_and_is_named(number):
    ds = flats([2e4] * number, seed=8)
    shut = first_closed(ds)
    made = aw.master_flat(shut, **HOW)
    assert made.frames["class"].values.tolist() == ["medium"] + ["high"] * (number - 1)
    assert "it has no light: its mean is" in made.frames["reason"].values[0]
    others = aw.master_flat(ds.isel(frame=slice(1, None)), **HOW).high
    np.testing.assert_array_equal(made.high["image"], others["image"])
    lazy = aw.master_flat(shut.chunk(frame=1).assign_coords(ds.coords), **HOW)
    stated = "the flat flat-0 takes no part: it has no light"
    with pytest.warns(aw.AutowispWarning, match=stated):
        known = lazy.compute_levels()
    with pytest.warns(aw.AutowispWarning, match=stated):
        np.testing.assert_array_equal(lazy.high["image"], others["image"])
    assert known.high["image"].chunks is not None
    assert_frames_equal(known.high, made.high)
    assert_frames_equal(known.frames, made.frames)


def test_faint_flats_are_not_of_a_closed_shutter():
    twilight = aw.master_flat(flats([3e4, 9e3, 900.0, 60.0], seed=9))
    assert twilight.frames["class"].values.tolist() == ["high"] * 4
    # beside none that is brighter, what little there is counts
    alike = aw.master_flat(flats([2.0, 3.0, 1.5], seed=9))
    assert alike.frames["class"].values.tolist() == ["high"] * 3


# ---------------------------------------------------------------------- stars


@pytest.mark.parametrize("select", [None, SELECTION], ids=["all", "selected"])
def test_stars_do_not_set_the_scale(select):
    ds = with_stars()
    made = aw.master_flat(ds, select=select, **HOW)
    assert float(made.high["image"].mean()) == pytest.approx(1.0, abs=1e-12)
    ratio = np.median(made.high["image"].values / response())
    assert ratio == pytest.approx(1.0, abs=5e-4)
    if select is None:
        levels = np.random.default_rng(4).uniform(18e3, 40e3, 12)
        np.testing.assert_allclose(made.frames["mean"].values[:, 0], levels, rtol=2e-3)


# ---------------------------------------------------------------------- where no light is


def unlit():
    """A round field: its corners hold a little scattered light, and noise about it."""
    lit = np.hypot(Y, X) < 0.9
    noise = np.random.default_rng(6).normal(10, 5, (5, 1, *SHAPE))
    ds = flats([1e4, 1.1e4, 1.2e4, 1.3e4, 1.4e4], seed=6)
    return ds.assign(image=ds["image"].where(lit, noise)), lit


@pytest.mark.parametrize("select", [None, SELECTION], ids=["all", "selected"])
def test_unlit_corners_are_flagged_and_take_no_part_in_the_mean(select):
    ds, lit = unlit()
    high = aw.master_flat(ds, select=select, **HOW).high
    np.testing.assert_array_equal(high["mask"].values[0] == Flag.FAULT, ~lit)
    assert np.isfinite(high["image"]).all()
    assert high["image"].values[0, lit].mean() == pytest.approx(1.0, abs=1e-12)
    sky = frame_set(np.where(lit, 500 * high["image"].values[0], 0.0), filter="V")
    science = aw.calibrate(sky, flat=high, camera=Camera(gain=2.0, read_noise=5.0))
    np.testing.assert_allclose(science["image"].values[0, 0, lit], 500, rtol=1e-6)
    assert (science["mask"].values[0, 0, ~lit] == Flag.FAULT).all()
    assert np.isnan(science["image"].values[0, 0, ~lit]).all()


def test_the_floor_can_be_moved_and_is_in_the_history():
    ds, lit = unlit()
    every = aw.master_flat(ds, min_flat=0, **HOW).high
    assert float(every["image"].mean()) == pytest.approx(1.0, abs=1e-12)
    assert not every["mask"].values[0, lit].any()
    options = [step["options"] for step in provenance.history(every) if step["verb"] == "normalise"]
    assert options[0]["min_flat"] == 0
    with pytest.raises(ValueError, match="min_flat is a share of the mean of a flat"):
        aw.master_flat(ds, min_flat=1)


def test_vignetted_corners_are_lit():
    dim = 1 - 0.4 * (X**2 + Y**2)
    high = aw.master_flat(flats([5e3] * 3, dim)).high
    assert float(high["image"].min()) < 0.25
    assert not high["mask"].values.any()


def test_parts_of_one_detector_are_compared_together():
    whole = (slice(None), slice(None))
    image = np.multiply.outer([1.0, 2.0, 4.0], [[[1100.0] * 7] * 5, [[1000.0] * 7] * 5])
    camera = Camera(channels=dict.fromkeys(("left", "right"), whole))
    ds = frame_set(image, kind="flat", variance=image / 2, camera=camera)
    ds = ds.assign(mask=(ds["image"].dims, np.zeros(image.shape, np.uint8)))
    ds["mask"][2, 0] = Flag.OVERSATURATED
    high = aw.master_flat(ds).high
    assert high["image"].mean(("y", "x")).values.tolist() == pytest.approx([1.1 / 1.05, 1 / 1.05])
    colours = aw.master_flat(ds, level="channel").high
    assert colours["image"].mean(("y", "x")).values.tolist() == pytest.approx([1.0, 1.0])
