"""What must hold for every calibrated frame."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr import Flag, schema
from autowisp_xr.testing import assert_frames_equal, chunkings, frame_sets

# masters are drawn, and a flat may be the only one
pytestmark = pytest.mark.filterwarnings("ignore:no bias, dark or level")

LEAKS = st.lists(st.tuples(st.integers(-2, 2), st.integers(-3, 3)), max_size=3)
SATURATION = st.sampled_from([None, 100.0, 3000.0])


def with_camera(ds, directions=(), saturation=None):
    camera = replace(ds.autowisp.camera, leak_directions=directions, saturation=saturation)
    return ds.assign_attrs(camera=camera.to_json())


@st.composite
def raw_and_masters(draw):
    ds = draw(frame_sets(raw=True, max_frames=3))
    ds = with_camera(ds, draw(LEAKS), draw(SATURATION))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = ds["image"].shape[1:]

    def master(mean, sigma, variance, units):
        image = rng.normal(mean, sigma, shape).astype("f4")
        image[rng.random(shape) < 0.1] = np.nan
        made = xr.Dataset(
            {
                "image": (schema.DIMS[1:], image),
                "variance": (schema.DIMS[1:], rng.uniform(0, variance, shape).astype("f4")),
                "mask": (schema.DIMS[1:], rng.choice([0, 0, 2, 48], shape).astype("u1")),
            },
            {name: coord for name, coord in ds.coords.items() if "frame" not in coord.dims},
        )
        return schema.with_attributes(made.assign_coords(exposure=60.0), units)

    masters = {
        "bias": master(50, 5, 2, "adu"),
        "dark": master(10, 5, 2, "adu"),
        "flat": master(0.5, 0.4, 1e-3, "1"),
    }
    return ds, {name: made for name, made in masters.items() if draw(st.booleans())}


@given(st.data(), raw_and_masters())
def test_any_chunks_give_the_same_bits(data, given_):
    raw, masters = given_
    chunks = data.draw(chunkings(raw))
    # one gain for all channels here; chunks of channels with gains of their own have their test
    assert_frames_equal(aw.calibrate(raw.chunk(chunks), **masters), aw.calibrate(raw, **masters))


@given(raw_and_masters())
def test_nan_is_flagged_and_a_variance_is_positive_elsewhere(given_):
    raw, masters = given_
    ds = aw.calibrate(raw, **masters)
    nan = np.isnan(ds["image"].values)
    assert (ds["mask"].values[nan] & Flag.FAULT).all()
    assert np.isnan(ds["variance"].values[nan]).all()
    assert (ds["variance"].values[~nan] > 0).all()
    if "flat" in masters:
        assert nan[np.broadcast_to(~(masters["flat"]["image"].values > 0), nan.shape)].all()


@given(raw_and_masters())
def test_what_is_shared_is_a_part_of_the_variance(given_):
    raw, masters = given_
    ds = aw.calibrate(raw, **masters, dtype="float64")
    shared = ds["shared_variance"] if "shared_variance" in ds else xr.zeros_like(ds["variance"])
    if "shared_relative_variance" in ds:
        shared = shared + ds["shared_relative_variance"] * ds["image"] ** 2
    good = np.isfinite(ds["image"].values)
    part = np.broadcast_to(shared.transpose(..., "channel", "y", "x").values, good.shape)
    assert (part[good] <= ds["variance"].values[good] * (1 + 1e-12)).all()


@given(frame_sets(raw=True, max_frames=3), st.permutations([0, 1, 2]))
def test_frames_are_calibrated_each_for_itself(ds, order):
    ds = with_camera(ds, [(1, 0), (0, 1)], 100.0)
    order = [i for i in order if i < ds.sizes["frame"]]
    assert_frames_equal(aw.calibrate(ds.isel(frame=order)), aw.calibrate(ds).isel(frame=order))


@given(frame_sets(channels=["RGGB"]), st.data())
def test_a_mosaic_survives_merging_and_splitting(ds, data):
    chunks = data.draw(chunkings(ds))
    mono = aw.merge_channels(ds.chunk(chunks))
    assert mono.sizes["y"] == 2 * ds.sizes["y"]
    back = aw.split_channels(mono)
    assert_frames_equal(back, ds)


@given(frame_sets(channels=["RGGB"], raw=True), st.data())
def test_trimming_a_mosaic_trims_its_merged_frame(ds, data):
    mono = aw.merge_channels(ds)
    y0, x0 = int(mono["y"][0]), int(mono["x"][0])
    height, width = mono.sizes["y"], mono.sizes["x"]
    ymin = data.draw(st.integers(0, height - 2))
    xmin = data.draw(st.integers(0, width - 2))
    rows = 2 * data.draw(st.integers(1, (height - ymin) // 2))
    columns = 2 * data.draw(st.integers(1, (width - xmin) // 2))
    area = {
        "ymin": y0 + ymin,
        "ymax": y0 + ymin + rows,
        "xmin": x0 + xmin,
        "xmax": x0 + xmin + columns,
    }
    assert_frames_equal(aw.merge_channels(aw.trim(ds, area)), aw.trim(mono, area))


@given(frame_sets(channels=["RGGB"], raw=True, max_frames=2), SATURATION)
def test_splitting_and_calibrating_commute(ds, saturation):
    mono = aw.merge_channels(with_camera(ds, saturation=saturation))
    first, last = aw.calibrate(aw.split_channels(mono)), aw.split_channels(aw.calibrate(mono))
    for plane in ("image", "variance", "mask"):
        np.testing.assert_array_equal(first[plane].values, last[plane].values)


@given(raw_and_masters(), st.sampled_from([2.0**-8, 0.5, 4.0, 2.0**10]))
def test_another_unit_of_the_pixels_changes_no_bit(given_, factor):
    """By powers of two, so that rounding is the same: as if the ADU were another one."""
    raw, masters = given_
    raw = raw.assign(image=raw["image"].astype("f4"))
    camera = raw.autowisp.camera

    def in_other_units(ds):
        ds = ds.assign(image=ds["image"] * np.float32(factor))
        if "variance" in ds:
            ds = ds.assign(variance=ds["variance"] * np.float32(factor) ** 2)
        return schema.with_attributes(ds, "adu")

    others = {
        name: made if name == "flat" else in_other_units(made) for name, made in masters.items()
    }
    limit = camera.saturation
    facts = {"gain": camera.gain / factor, "saturation": limit and limit * factor}
    one = aw.calibrate(raw, **masters)
    other = aw.calibrate(in_other_units(raw), camera=replace(camera, **facts), **others)
    np.testing.assert_array_equal(other["image"], one["image"] * factor)
    np.testing.assert_array_equal(other["variance"], one["variance"] * factor**2)
    np.testing.assert_array_equal(other["mask"], one["mask"])
    for name, power in (("shared_variance", 2), ("shared_relative_variance", 0)):
        assert (name in other) == (name in one)
        if name in one:
            np.testing.assert_array_equal(other[name], one[name] * factor**power)
