"""Classes of flats by pointings and stamps."""

import json

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr import Flag, FlatSelection
from autowisp_xr.testing import assert_frames_equal, no_compute
from tests.flats.flat_sets import GAIN, SHAPE, apart, flats
from tests.steps.frames import frame_set

LEVELS = [7e3, 8e3, 9e3, 1e4, 1.1e4, 1.2e4, 2e3, 2.5e3, 4e3, 1.3e4]
CHUNKS = [{"frame": 1}, {"y": 17}, {"frame": 3, "y": 50, "x": 31}, {}]
PLAIN = FlatSelection(smoother=None, fraction=0.5, max_iter=0)


def classes(table):
    return table["class"].values.tolist()


def reasons(table):
    return table["reason"].values.tolist()


def select(ds, **options):
    return aw.select_flats(ds, FlatSelection(**options))


# ---------------------------------------------------------------------- stamp_statistics


@pytest.fixture
def tiny():
    """Frames of 4 x 4, whose stamps are the four pixels in the middle."""
    image = np.full((3, 1, 4, 4), 99.0)
    image[:, 0, 1:3, 1:3] = [[[1, 2], [3, 6]], [[10, 10], [10, 10]], [[5, 5], [7, 1000]]]
    mask = np.zeros(image.shape, np.uint8)
    mask[:, 0, 0, 0] = Flag.OVERSATURATED
    mask[2, 0, 2, 2] = Flag.HOT
    return frame_set(image, kind="flat", variance=np.ones_like(image), mask=mask)


def test_stamps_by_hand(tiny):
    found = aw.stamp_statistics(tiny, PLAIN)
    assert found["mean"].values.ravel().tolist() == [3.0, 10.0, pytest.approx(17 / 3)]
    assert found["variance"].values.ravel().tolist() == [3.5, 0.0, pytest.approx(8 / 9)]
    assert found["number"].values.ravel().tolist() == [4, 4, 3]
    assert found["saturated_fraction"].values.ravel().tolist() == [0.0] * 3
    assert found["mean"].dims == ("frame", "channel")
    assert found["mean"].dtype == found["variance"].dtype == np.float64
    assert (found["mean"].attrs, found["variance"].attrs) == ({"units": "adu"}, {"units": "adu2"})
    assert found["frame"].values.tolist() == ["flat-0", "flat-1", "flat-2"]


def test_a_masked_pixel_counts_as_the_others_only_if_asked(tiny):
    taken = aw.stamp_statistics(tiny, PLAIN, masked="take")
    assert taken["number"].values.ravel().tolist() == [4, 4, 4]
    assert float(taken["mean"][2, 0]) == 1017 / 4
    without = aw.stamp_statistics(tiny.drop_vars("mask"), PLAIN)
    assert_frames_equal(without, taken)


def test_a_masked_hot_pixel_changes_nothing(tiny):
    worse = tiny.copy(deep=True)
    worse["image"][2, 0, 2, 2] = 1e9
    assert_frames_equal(aw.stamp_statistics(worse, PLAIN), aw.stamp_statistics(tiny, PLAIN))


@pytest.mark.parametrize("flag", [Flag.OVERSATURATED, Flag.LEAKED])
def test_saturated_and_leaked_pixels_of_the_stamp_are_counted(tiny, flag):
    tiny["mask"][0, 0, 1, 1:3] = flag
    tiny["mask"][1, 0, 0, :] = flag  # beside the stamp
    found = aw.stamp_statistics(tiny, FlatSelection(smoother=None))
    assert found["saturated_fraction"].values.ravel().tolist() == [0.5, 0.0, 0.0]
    assert np.isnan(found["mean"].values.ravel()).tolist() == [True, False, False]
    assert found["number"].values[0, 0] == 0


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_chunks_change_no_bit_of_the_statistics(chunks, scheduler):
    ds = flats([7e3, 2e3, 9e3, 4e3])
    lazy = ds.chunk(chunks).assign_coords(ds.coords)
    with no_compute():
        found = aw.stamp_statistics(lazy)
        assert all(found[name].chunks is not None for name in found.data_vars)
    with dask.config.set(scheduler=scheduler):
        assert_frames_equal(found, aw.stamp_statistics(ds))


def test_statistics_of_what_is_in_memory_are_in_memory():
    with no_compute():
        found = aw.stamp_statistics(flats([7e3]))
    assert all(isinstance(found[name].variable._data, np.ndarray) for name in found.data_vars)


def test_the_noise_of_the_stamp_is_that_of_the_photons_and_of_the_response():
    found = aw.stamp_statistics(flats([1e3, 1e5], seed=3))
    mean = found["mean"].values
    assert (mean > [[1e3], [1e5]]).all()  # the middle of a vignetted frame
    np.testing.assert_allclose(found["variance"], mean / GAIN + (0.02 * mean) ** 2, rtol=0.08)


# ---------------------------------------------------------------------- each class


@pytest.fixture(scope="module")
def flat_set():
    """Ten good frames, and one of each kind of trouble: 10 to 13."""
    light = np.ones((14, 1, *SHAPE))
    # steeper than the parabola of the stamp can follow
    light[10] *= 1 + 0.3 * np.sin(np.arange(SHAPE[1]) / 3)
    ds = flats([*LEVELS, 1e4, 1e4, 1e4, 1e4], light)
    ds["mask"][11, 0, 40:50, 40:50] = Flag.OVERSATURATED
    ds["mask"][12] = Flag.FAULT
    ra = np.arange(14.0)
    ra[13] = ra[0] + 100 / 3600
    return apart(ds, ra, np.zeros(14))


def test_every_class_has_its_reason_in_words(flat_set):
    table = aw.select_flats(flat_set)
    assert classes(table) == [
        "colocated",
        *["high"] * 5,
        "low",
        "low",
        "medium",
        "high",
        "cloudy",
        "saturated",
        "medium",
        "colocated",
    ]
    described = reasons(table)
    assert described[0] == "100.0 arcsec from flat-13, closer than 150"
    assert described[13] == "100.0 arcsec from flat-0, closer than 150"
    assert described[1].endswith(" ADU above 6000")
    assert described[6].endswith(" ADU below 3000")
    assert described[8].endswith(" ADU, between 3000 and 6000")
    assert " from the fit, more than 10 x " in described[10]
    assert described[11] == "3.72 % of its stamp is saturated, more than 0.01 %"
    assert described[12] == "its stamp cannot be measured: pixels are flagged, zero or not finite"


def test_the_table_states_what_decided(flat_set):
    table = aw.select_flats(flat_set)
    assert dict(table.sizes) == {"frame": 14, "channel": 1, "power": 3}
    assert table["frame"].values.tolist() == flat_set["frame"].values.tolist()
    np.testing.assert_allclose(table["separation"][[0, 13]], 100)
    np.testing.assert_allclose(table["separation"][1:13], 3600, rtol=0.03)
    # colocated frames are not measured
    assert np.isnan(table["mean"][[0, 13]]).all()
    assert table["number"].values[[0, 13]].tolist() == [[0], [0]]
    assert np.isnan(table["deviation"]).all()
    mean, predicted = table["mean"].values[1:10, 0], table["predicted_variance"].values[1:10, 0]
    a, b, c = table["fit_coefficients"].values[0]
    np.testing.assert_allclose(predicted, a + b * mean + c * mean**2)
    distance = np.abs(table["variance"].values[1:11, 0] - table["predicted_variance"][1:11, 0])
    assert ((distance > 10 * float(table["fit_residual"][0])) == [False] * 9 + [True]).all()
    assert table.attrs["min_high_mean"] == 6e3
    assert "cloudy_night_threshold" not in table.attrs
    assert table.attrs["notes"] == []


def test_the_table_can_be_read_as_one_and_its_frame_count(flat_set):
    frame = aw.select_flats(flat_set)[["class", "reason", "separation"]].to_dataframe()
    assert frame.shape == (14, 3)
    assert frame.loc["flat-8", "class"] == "medium"


def test_the_input_is_untouched(flat_set):
    before = flat_set.copy(deep=True)
    aw.select_flats(flat_set)
    xr.testing.assert_identical(flat_set, before)
    assert flat_set.attrs == before.attrs


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
def test_chunks_change_no_bit_of_the_table(flat_set, chunks):
    expected = aw.select_flats(flat_set)
    found = aw.select_flats(flat_set.chunk(chunks))
    assert_frames_equal(found, expected)
    assert all(found[name].variable._in_memory for name in found.variables)
    assert found.attrs == expected.attrs


def test_what_is_in_memory_needs_no_dask(flat_set):
    with no_compute():
        assert len(classes(aw.select_flats(flat_set))) == 14


# ---------------------------------------------------------------------- the order of the tests


def test_pointings_decide_first_then_saturation_then_clouds_then_level(flat_set):
    assert classes(select(flat_set, cloudy_night_threshold=0.0)) == [
        "colocated",
        *["cloudy"] * 10,
        "saturated",
        "medium",
        "colocated",
    ]
    both = flat_set.copy(deep=True)
    both["mask"][0] = Flag.OVERSATURATED  # colocated, too
    both["mask"][10, 0, 40:50, 40:50] = Flag.LEAKED  # cloudy, too
    found = classes(aw.select_flats(both))
    assert (found[0], found[10]) == ("colocated", "saturated")


def test_a_separation_of_just_the_limit_is_apart():
    ds = apart(flats([7e3, 8e3]), [0.0, 0.05], [0.0, 0.0])
    exact = float(aw.select_flats(ds)["separation"][0])
    assert classes(select(ds, min_pointing_separation=exact)) == ["high", "high"]
    more = np.nextafter(exact, 1e3)
    assert classes(select(ds, min_pointing_separation=more)) == ["colocated", "colocated"]
    assert classes(select(ds, min_pointing_separation=0)) == ["high", "high"]


def test_just_as_many_saturated_pixels_as_allowed_are_allowed():
    ds = flats([7e3, 8e3])
    stamp = (SHAPE[0] // 2) * (SHAPE[1] // 2)
    ds["mask"][1, 0, 48, 56] = Flag.OVERSATURATED
    assert classes(select(ds, max_saturated_fraction=1 / stamp)) == ["high", "high"]
    assert classes(select(ds, max_saturated_fraction=0.99 / stamp)) == ["high", "saturated"]
    assert classes(select(ds, max_saturated_fraction=0)) == ["high", "saturated"]


def test_levels_of_just_the_limits_are_medium():
    ds = flats([7e3, 2e3])
    high, low = aw.select_flats(ds)["mean"].values[:, 0].tolist()
    assert classes(select(ds, min_high_mean=high, max_low_mean=low)) == ["medium", "medium"]
    up, down = np.nextafter(low, 1e9), np.nextafter(high, 0)
    assert classes(select(ds, min_high_mean=down, max_low_mean=up)) == ["high", "low"]


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("min_pointing_separation", {0: "high", 13: "high"}),
        ("max_saturated_fraction", {11: "high"}),
        ("cloudy_frame_threshold", {10: "high"}),
        ("cloudy_night_threshold", {}),
        ("min_high_mean", {8: "high"}),
        ("max_low_mean", {6: "medium", 7: "medium"}),
    ],
)
def test_none_switches_a_test_off_and_that_test_alone(flat_set, name, changed):
    expected = dict(enumerate(classes(aw.select_flats(flat_set)))) | changed
    assert classes(select(flat_set, **{name: None})) == list(expected.values())


def test_a_dome_needs_neither_pointings_nor_levels(flat_set):
    table = aw.select_flats(flat_set.drop_vars(["ra", "dec"]), FlatSelection.dome())
    assert set(classes(table)) == {"high", "cloudy", "saturated", "medium"}
    assert classes(table)[:10] == ["high"] * 10
    assert table.attrs["notes"] == []
    assert np.isnan(table["separation"]).all()


# ---------------------------------------------------------------------- notes


def test_frames_that_do_not_state_where_they_point_are_noted(flat_set):
    table = aw.select_flats(flat_set.drop_vars(["ra", "dec"]))
    assert table.attrs["notes"] == [
        "no pointing (RA, DEC) in all frames: not tested for overlapping stars"
    ]
    assert "colocated" not in classes(table)
    ra = flat_set["ra"].values.copy()
    ra[[0, 5]] = np.nan
    table = aw.select_flats(apart(flat_set, ra, flat_set["dec"].values))
    assert table.attrs["notes"] == [
        "no pointing (RA, DEC) in 2 of 14 frames: not tested for overlapping stars"
    ]
    assert classes(table)[13] == "high"


def test_a_pointing_that_all_frames_have_in_common_is_that_of_each(flat_set):
    table = aw.select_flats(flat_set.drop_vars(["ra", "dec"]).assign_coords(ra=83.8, dec=-5.4))
    assert set(classes(table)) == {"colocated"}
    assert table["separation"].values.tolist() == [0.0] * flat_set.sizes["frame"]


def test_too_few_frames_for_a_fit_are_noted_not_refused():
    table = aw.select_flats(flats([7e3, 2e3]))
    assert classes(table) == ["high", "low"]
    assert table.attrs["notes"] == [
        "too few frames to fit variance to mean: stamps not tested for clouds"
    ]
    untested = {"cloudy_frame_threshold": None, "cloudy_night_threshold": None}
    assert select(flats([7e3, 2e3]), **untested).attrs["notes"] == []
    two = aw.select_flats(flats([[7e3, 9e3], [2e3, 2e3]]))
    assert [" of A: " in two.attrs["notes"][0], " of B: " in two.attrs["notes"][1]] == [True, True]


def test_a_set_without_a_usable_frame_is_no_error():
    ds = flats([7e3, 8e3])
    ds["mask"][:] = Flag.FAULT
    assert classes(aw.select_flats(ds)) == ["medium", "medium"]
    near = apart(flats([7e3, 8e3]), [0.0, 0.0], [0.0, 0.0])
    assert classes(aw.select_flats(near)) == ["colocated", "colocated"]


def test_what_is_no_frame_set_is_refused():
    with pytest.raises(aw.SchemaError, match="'image' has the dims"):
        aw.select_flats(flats([7e3]).transpose("y", ...))


# ---------------------------------------------------------------------- channels


@pytest.fixture(scope="module")
def colours():
    """Two channels; frame 8 is cloudy in B alone, 9 saturated in A alone, 7 faint in B alone."""
    levels = np.stack([np.linspace(7e3, 1.6e4, 10), np.linspace(7.5e3, 1.2e4, 10)], axis=1)
    levels[6], levels[7, 1] = 2e3, 2e3
    light = np.ones((10, 2, *SHAPE))
    light[8, 1] *= 1 + 0.3 * np.sin(np.arange(SHAPE[1]) / 3)
    ds = flats(levels, light)
    ds["mask"][9, 0, 40:50, 40:50] = Flag.OVERSATURATED
    return ds


def test_channels_share_the_fate_of_the_frame(colours):
    table = aw.select_flats(colours)
    assert table["class"].dims == ("frame",)
    assert classes(table) == [*["high"] * 6, "low", "medium", "cloudy", "saturated"]
    described = reasons(table)
    assert described[0].startswith("A: mean ")
    assert "; B: mean " in described[0]
    assert "A: mean" in described[7]
    assert described[7].endswith(" ADU below 3000")
    assert described[8].startswith("B: its variance ")
    assert described[9].startswith("A: 3.72 % of its stamp is saturated")


def test_or_each_channel_has_classes_of_its_own(colours):
    table = select(colours, together=False)
    assert table["class"].dims == table["reason"].dims == ("frame", "channel")
    assert table["class"].sel(channel="A").values.tolist() == [
        *["high"] * 6,
        "low",
        "high",
        "high",
        "saturated",
    ]
    assert table["class"].sel(channel="B").values.tolist() == [
        *["high"] * 6,
        "low",
        "low",
        "cloudy",
        "high",
    ]
    assert reasons(table)[0][0].startswith("mean ")


def test_levels_may_differ_between_channels(colours):
    levels = {"min_high_mean": {"A": 6e3, "B": 9e3}, "max_low_mean": {"A": 3e3, "B": 1e3}}
    table = select(colours, together=False, **levels)
    a, b = table["class"].values.T.tolist()
    assert a[:8] == [*["high"] * 6, "low", "high"]
    assert b[:8] == ["medium", "medium", *["high"] * 4, "medium", "medium"]
    assert json.loads(table.attrs["min_high_mean"]) == {"A": 6e3, "B": 9e3}
    together = select(colours, **levels)
    assert classes(together)[:8] == ["medium", "medium", *["high"] * 4, "medium", "medium"]


def test_saturation_in_one_channel_outweighs_clouds_in_another(colours):
    both = colours.copy(deep=True)
    both["mask"][8, 0] = Flag.OVERSATURATED
    assert classes(aw.select_flats(both))[8] == "saturated"


# ---------------------------------------------------------------------- properties


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(14)))
def test_the_order_of_frames_changes_no_class(flat_set, order):
    expected = aw.select_flats(flat_set)
    found = aw.select_flats(flat_set.isel(frame=list(order)))
    assert classes(found) == classes(expected.isel(frame=list(order)))
    xr.testing.assert_allclose(
        found[["mean", "variance", "separation"]],
        expected[["mean", "variance", "separation"]].isel(frame=list(order)),
        rtol=1e-12,
    )


@settings(max_examples=15, deadline=None)
@given(st.floats(1e-3, 1e3), st.sampled_from([None, 1e4, 1e6]))
def test_another_unit_of_light_changes_no_class_when_the_limits_follow(flat_set, c, night):
    limits = {"min_high_mean": 6e3 * c, "max_low_mean": 3e3 * c}
    if night is not None:
        limits["cloudy_night_threshold"] = night * c * c
    scaled = flat_set.assign(
        image=flat_set["image"] * np.float32(c), variance=flat_set["variance"] * c * c
    )
    scaled["image"].attrs.update(flat_set["image"].attrs)
    scaled["variance"].attrs.update(flat_set["variance"].attrs)
    scaled = scaled.assign(variance=scaled["variance"].astype("f4"))
    expected = select(flat_set, cloudy_night_threshold=night)
    found = select(scaled, **limits)
    assert classes(found) == classes(expected)
    np.testing.assert_allclose(found["mean"], c * expected["mean"], rtol=1e-6)
    np.testing.assert_allclose(found["fit_residual"], c * c * expected["fit_residual"], rtol=1e-3)
