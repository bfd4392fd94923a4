from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr import Camera, Flag, Overscan, Region, schema
from autowisp_xr.fits.lazy_pixels import Planes
from autowisp_xr.overscan_fits import overscan_correction
from autowisp_xr.stats.order_statistics import quantile_moments
from autowisp_xr.steps import overscan_choice as rooms
from autowisp_xr.testing import assert_frames_equal, chunkings, no_compute
from tests.steps.frames import TWO_CHANNELS, frame_set, master

FEW = Overscan(min_pixels=2)


def camera(*areas, **facts):
    return Camera(overscan=areas, **facts)


def area(xmin, xmax, ymin, ymax):
    return {"xmin": xmin, "xmax": xmax, "ymin": ymin, "ymax": ymax}


def test_the_median_of_the_overscan_is_subtracted_and_its_variance_added():
    raw = frame_set(np.array([10, 11, 15, 100], "u2"), camera=camera(area(0, 3, 0, 1)))
    ds = aw.subtract_overscan(raw, FEW, dtype="float64")
    assert ds["image"].values.ravel().tolist() == [-1.0, 0.0, 4.0, 89.0]
    # about the median 1 + 0 + 16 are expected to be sigma^2 (3 - 2 + r), of which r / 3 is its own
    ratio = 3 * quantile_moments(0.5, 3)[1]
    expected = 17 / (1 + ratio) * ratio / 3
    np.testing.assert_allclose(ds["variance"].values.ravel(), expected, rtol=1e-12)


def test_the_mean_of_the_overscan_has_the_variance_of_a_mean():
    raw = frame_set(np.array([10, 11, 15, 100], "u2"), camera=camera(area(0, 3, 0, 1)))
    ds = aw.subtract_overscan(raw, Overscan(average="mean", min_pixels=2), dtype="float64")
    assert ds["image"].values.ravel().tolist() == [-2.0, -1.0, 3.0, 88.0]
    np.testing.assert_allclose(ds["variance"].values.ravel(), (4 + 1 + 9) / 2 / 3, rtol=1e-15)


def test_each_frame_has_its_own_level():
    image = np.array([[10, 10, 100], [30, 30, 100]], "u2").reshape(2, 1, 1, 3)
    ds = aw.subtract_overscan(frame_set(image, camera=camera(area(0, 2, 0, 1))), FEW)
    assert ds["image"].values[..., 2].ravel().tolist() == [90.0, 70.0]


def test_a_pixel_in_two_areas_counts_once():
    image = np.array([1, 2, 4, 8, 100], "u2")
    overlapping = camera(area(0, 3, 0, 1), area(1, 4, 0, 1))
    ds = aw.subtract_overscan(frame_set(image, camera=overlapping), FEW)
    assert ds["image"].values.ravel()[0] == 1 - 3.0


def test_channels_share_the_overscan_of_the_raw_frame():
    # columns 0 and 1 of the raw frame: the first of A and the first of B
    image = np.array([[[10.0, 50.0]], [[20.0, 60.0]]])
    ds = aw.subtract_overscan(
        frame_set(image, camera=camera(area(0, 2, 0, 1), channels=TWO_CHANNELS)), FEW
    )
    assert ds["image"].values.ravel().tolist() == [-5.0, 35.0, 5.0, 45.0]
    odd = camera(area(0, 1, 0, 1), area(2, 3, 0, 1), channels=TWO_CHANNELS)  # A alone
    ds = aw.subtract_overscan(frame_set(image, camera=odd), FEW)
    assert ds["image"].values.ravel().tolist() == [-20.0, 20.0, -10.0, 30.0]


def test_outliers_are_rejected_and_nan_left_out():
    image = np.full((1, 40), 10.0)
    image[0, :2] = [1e4, np.nan]
    ds = aw.subtract_overscan(
        frame_set(image, camera=camera(area(0, 40, 0, 1))), Overscan(min_pixels=10)
    )
    assert ds["image"].values[0, 0, 0, 5] == 0.0
    assert ds["variance"].values[0, 0, 0, 5] == 0.0
    assert np.isnan(ds["image"].values[0, 0, 0, 1])


def test_too_few_pixels_are_an_error_that_names_the_frame_when_computed():
    raw = frame_set(np.ones((2, 1, 2, 3)), camera=camera(area(0, 3, 0, 2)))
    lazy = aw.subtract_overscan(raw.chunk(frame=1))
    with pytest.raises(aw.ConvergenceError, match=r"frame 'object-\d': 6 overscan pixels .*is 100"):
        lazy.compute()


def test_convergence_can_be_required():
    values = np.r_[np.arange(20.0), 1e3, 1e5, 1e7]
    raw = frame_set(values, camera=camera(area(0, 23, 0, 1)))
    loose = Overscan(min_pixels=5, reject_threshold=3, max_reject_iterations=1)
    aw.subtract_overscan(raw, loose)
    strict = Overscan(
        min_pixels=5, reject_threshold=3, max_reject_iterations=1, require_convergence=True
    )
    with pytest.raises(aw.ConvergenceError, match="still rejects pixels after 1 iterations"):
        aw.subtract_overscan(raw, strict)


def test_a_camera_without_overscan_is_refused():
    with pytest.raises(aw.CalibrationError, match=r"no overscan areas; give Camera\(overscan="):
        aw.subtract_overscan(frame_set([1.0]))
    with pytest.raises(aw.CalibrationError, match="an overscan method was given, but the camera"):
        aw.calibrate(frame_set([1.0], camera=Camera(gain=1, read_noise=1)), overscan=FEW)


def test_an_area_outside_the_frames_is_refused_with_both():
    raw = frame_set(np.ones((2, 3)), camera=camera(area(0, 3, 0, 2), area(2, 4, 0, 2)))
    with pytest.raises(
        aw.OutsideImageError,
        match=r"overscan area 1, 2 < x < 4, 0 < y < 2, .* cover 0 < x < 3, 0 < y < 2",
    ):
        aw.subtract_overscan(raw, FEW)


def test_frames_that_were_trimmed_have_lost_their_overscan():
    raw = frame_set(np.ones((2, 5)), camera=camera(area(0, 2, 0, 2)))
    with pytest.raises(aw.OutsideImageError, match="overscan area 0"):
        aw.subtract_overscan(aw.trim(raw, area(2, 5, 0, 2)), FEW)


def test_calibrate_takes_the_overscan_by_itself_unless_asked_not_to():
    facts = camera(
        area(0, 2, 0, 3), gain=1.0, read_noise=2.0, bias_level=4.0, image_area=area(2, 4, 0, 3)
    )
    image = np.array([[9, 11, 40, 41], [9, 11, 42, 43], [9, 11, 44, 45]], "u2")
    raw = frame_set(image, camera=facts)
    ds = aw.calibrate(raw, overscan=FEW, dtype="float64")
    # median 10 of the raw pixels: the constant bias level is not subtracted twice
    assert ds["image"].values[0, 0, 0].tolist() == [30.0, 31.0]
    # six pixels off by one, photons, read noise
    ratio = 6 * quantile_moments(0.5, 6)[1]
    level = 6 / (4 + ratio) * ratio / 6
    np.testing.assert_allclose(ds["variance"].values[0, 0, 0], [level + 30 + 4, level + 31 + 4])
    without = aw.calibrate(raw, overscan=False, dtype="float64")
    assert without["image"].values[0, 0, 0].tolist() == [36.0, 37.0]
    assert without["variance"].values[0, 0, 0].tolist() == [40.0, 41.0]
    with pytest.raises(aw.ConvergenceError, match="6 overscan pixels are left"):
        aw.calibrate(raw)


def test_regions_are_recorded_with_the_method():
    raw = frame_set(np.ones((1, 3)), camera=camera(Region(xmin=0, xmax=3, ymin=0, ymax=1)))
    options = aw.subtract_overscan(raw, FEW).autowisp.history()[-1]["options"]
    assert options["areas"] == ["0 < x < 3, 0 < y < 1"]
    assert options["overscan"]["type"] == "Overscan"
    assert options["overscan"]["min_pixels"] == 2


# ---------------------------------------------------------------------- rows, columns, passes


SHAPE = (3, 1, 12, 16)
ROWS = {"areas": area(0, 4, 0, 12), "per": "row"}
COLUMNS = {"areas": area(4, 16, 9, 12), "per": "column"}
PASSES = [
    Overscan(**ROWS, min_pixels=10, average="mean"),
    Overscan(**COLUMNS, min_pixels=10),
]
IMAGE = area(4, 16, 0, 9)
TWO = [area(0, 9, 0, 12), area(9, 16, 0, 12)]
FOUR = [area(0, 10, 0, 6), area(10, 16, 0, 6), area(0, 10, 6, 12), area(10, 16, 6, 12)]


@pytest.fixture
def steps():
    """Frames whose level is the sum of one of the row and one of the column, without noise."""
    y, x = np.arange(12.0), np.arange(16.0)
    level = 100 + y[:, None] ** 2 + np.where(x < 4, 0.0, 3 * x)
    return frame_set(np.broadcast_to(level, SHAPE).copy(), camera=camera(image_area=IMAGE))


@pytest.fixture
def noisy():
    image = np.random.default_rng(4).normal(500, 5, SHAPE)
    image[1, 0, 3, 2] = np.nan
    image[2, 0, 5, :4] = np.nan  # a row without any overscan pixel left
    return frame_set(image, camera=camera(area(0, 4, 0, 12), image_area=IMAGE))


def test_rows_and_then_columns_leave_nothing(steps):
    ds = aw.subtract_overscan(steps, PASSES, dtype="float64")
    np.testing.assert_allclose(ds["image"].values[..., 4:], 0, atol=1e-12)
    np.testing.assert_allclose(ds["variance"].values[..., 4:], 0, atol=1e-12)
    # columns of the serial overscan have no level of their own, and are no part of the image
    assert np.isnan(ds["image"].values[..., :4]).all()
    assert (ds["mask"].values[..., :4] == Flag.FAULT).all()
    assert not ds["mask"].values[..., 4:].any()


def test_a_line_without_pixels_left_is_lost_with_a_flag(noisy):
    noisy.attrs["camera"] = camera(area(0, 4, 0, 12)).to_json()
    ds = aw.subtract_overscan(noisy, Overscan(per="row", min_pixels=10))
    lost = np.zeros(SHAPE, bool)
    lost[2, 0, 5] = True
    lost[1, 0, 3, 2] = True
    np.testing.assert_array_equal(np.isnan(ds["image"].values), lost)
    np.testing.assert_array_equal(ds["mask"].values == Flag.FAULT, lost)
    model = Overscan(per="row", polynomial_terms=2, min_pixels=10)
    smooth = aw.subtract_overscan(noisy, model)
    assert np.isfinite(smooth["image"].values[2, 0, 5, 4:]).all()


METHODS = {
    "frame": None,
    "row": Overscan(per="row", min_pixels=10),
    "mean of rows": Overscan(per="row", average="mean", min_pixels=10),
    "polynomial": Overscan(per="row", polynomial_terms=3, min_pixels=10),
    "spline": Overscan(per="row", spline_nodes=5, average="mean", min_pixels=10),
    "passes": PASSES,
    "frame, then columns": [Overscan(min_pixels=10), PASSES[1]],
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("amplifiers", [(), TWO, FOUR], ids=["one", "two", "four"])
def test_the_verbs_subtract_what_the_array_function_finds(method, amplifiers, noisy):
    method = method or Overscan(min_pixels=10)
    if len(amplifiers):
        areas = [area(0, 4, 0, 12), area(12, 16, 0, 12)]
        wide = [area(4, 16, 4, 6), area(4, 16, 9, 12)]
        given = method if isinstance(method, list) else [method]
        method = [
            replace(one, min_pixels=6, areas=wide if one.per == "column" else areas)
            for one in given
        ]
    facts = replace(noisy.autowisp.camera, amplifiers=amplifiers, gain=2.0, read_noise=0.0)
    noisy = noisy.isel(frame=[0, 1]).assign_attrs(camera=facts.to_json())
    ds = aw.subtract_overscan(noisy, method, dtype="float64")
    calibrated = aw.calibrate(noisy, overscan=method, photons="none", dtype="float64")
    for frame in range(2):
        raw = noisy["image"].values[frame, 0]
        found = overscan_correction(
            raw, facts.overscan, method, image_area=IMAGE, amplifiers=amplifiers
        )
        expected = raw[:9, 4:] - found.correction
        variance = np.broadcast_to(found.variance, expected.shape)
        np.testing.assert_allclose(ds["image"].values[frame, 0, :9, 4:], expected, atol=1e-12)
        np.testing.assert_allclose(ds["variance"].values[frame, 0, :9, 4:], variance, rtol=1e-12)
        np.testing.assert_allclose(calibrated["image"].values[frame, 0], expected, atol=1e-12)
        np.testing.assert_allclose(calibrated["variance"].values[frame, 0], variance, rtol=1e-12)


@settings(max_examples=12, deadline=None)
@given(st.data(), st.sampled_from(sorted(METHODS)), st.booleans())
def test_any_chunks_give_the_same_bits(data, name, two):
    image = np.random.default_rng(5).normal(500, 5, SHAPE).astype("f4")
    both = (area(0, 4, 0, 12), area(13, 16, 0, 12))
    amplifiers = TWO if two else ()
    lit = area(4, 13, 0, 9)
    facts = camera(*both, image_area=lit, amplifiers=amplifiers, gain=1.0, read_noise=1.0)
    raw = frame_set(image, camera=facts)
    method = METHODS[name] or Overscan(min_pixels=10)
    if name == "passes":
        method = [replace(PASSES[0], areas=both), PASSES[1]]
    chunked = raw.chunk(data.draw(chunkings(raw)))
    for verb in (aw.calibrate, aw.subtract_overscan):
        lazy = verb(chunked, overscan=method)
        assert_frames_equal(lazy, verb(raw, overscan=method))
        assert lazy["image"].data.name == verb(chunked, overscan=method)["image"].data.name


def test_the_bias_level_is_not_subtracted_twice(noisy):
    facts = replace(noisy.autowisp.camera, gain=1.0, read_noise=1.0, saturation=1e5)
    for method in (PASSES, Overscan(per="row", min_pixels=10)):
        expected = aw.calibrate(noisy, overscan=method, camera=facts, dtype="float64")
        with_level = replace(facts, bias_level=123.0)
        found = aw.calibrate(noisy, overscan=method, camera=with_level, dtype="float64")
        np.testing.assert_allclose(found["image"], expected["image"], atol=1e-10)


def test_rows_of_a_mosaic_take_their_level_from_all_colours():
    mosaic = np.array([[1.0, 3.0, 10, 20], [5.0, 9.0, 30, 40]] * 4)
    facts = camera(area(0, 2, 0, 8), channels="RGGB", image_area=area(2, 4, 0, 8))
    raw = aw.split_channels(frame_set(mosaic, camera=facts))
    method = Overscan(per="row", average="mean", min_pixels=4)
    ds = aw.subtract_overscan(raw, method, dtype="float64").autowisp.trim()
    values = {name: ds["image"].sel(channel=name).values.ravel() for name in ds["channel"].values}
    for name, expected in {"R": 8.0, "G1": 18.0, "G2": 23.0, "B": 33.0}.items():
        np.testing.assert_array_equal(values[name], expected)


def test_each_amplifier_of_a_mosaic_has_its_level():
    mosaic = np.zeros((6, 8)) + np.where(np.arange(8) < 3, 100.0, 200.0)
    areas = (area(0, 2, 0, 6), area(6, 8, 0, 6))
    # an odd border: of a super-pixel, each amplifier reads one column
    sides = [area(0, 3, 0, 6), area(3, 8, 0, 6)]
    facts = camera(*areas, channels="RGGB", amplifiers=sides)
    raw = aw.split_channels(frame_set(mosaic, camera=facts))
    ds = aw.subtract_overscan(raw, FEW)
    assert (ds["image"] == 0).all()


def test_the_levels_of_a_lazy_set_are_measured_once_and_read_nothing_else(tmp_path, monkeypatch):
    for number in range(4):
        pixels = np.random.default_rng(number).normal(1000, 5, (200, 160)).astype("u2")
        fits.writeto(tmp_path / f"{number}.fits", pixels)
    sides = (area(0, 8, 0, 200), area(152, 160, 0, 200))
    facts = camera(*sides, image_area=area(8, 152, 0, 200), gain=1.0, read_noise=5.0)
    raw = aw.open_fits(tmp_path, camera=facts)
    measured, read = [], []
    measure, get = rooms.measure, Planes.__getitem__

    def counted(values, plan, name):
        measured.append(name)
        return measure(values, plan, name)

    def read_in_part(planes, key):
        part = get(planes, key)
        read.append(part.size)
        return part

    with monkeypatch.context() as patch:
        patch.setattr(rooms, "measure", counted)
        patch.setattr(Planes, "__getitem__", read_in_part)
        with no_compute():
            image = raw["image"].variable.chunk(frame=-1, y=20)
            bands = raw.assign(image=image)
            lazy = aw.calibrate(bands, overscan=Overscan(per="row"))
        assert len(bands["image"].chunksizes["y"]) == 10
        found = lazy.compute()
    assert sorted(measured) == [f"frame '{number}'" for number in range(4)]
    # the planes once, in bands, and the pixels of the overscan; never two bands in one piece
    image = raw["image"].size
    assert sum(read) <= image + 4 * 2 * 8 * 200
    assert max(read) <= image // 10
    assert_frames_equal(found, aw.calibrate(raw.compute(), overscan=Overscan(per="row")))


def test_the_history_names_passes_areas_and_amplifiers(noisy):
    facts = replace(noisy.autowisp.camera, amplifiers=[area(0, 16, 0, 12)], gain=1.0, read_noise=1)
    for ds in (
        aw.subtract_overscan(noisy, PASSES, camera=facts),
        aw.calibrate(noisy, overscan=PASSES, camera=facts),
    ):
        options = ds.autowisp.history()[-1]["options"]
        assert [one["per"] for one in options["overscan"]] == ["row", "column"]
        areas = options.get("areas") or options["overscan_areas"]
        assert areas == ["0 < x < 4, 0 < y < 12", "4 < x < 16, 9 < y < 12"]
        assert options["amplifiers"] == ["0 < x < 16, 0 < y < 12"]


# ---------------------------------------------------------------------- corrections as given


def correction(level, variance, dims, **coords):
    return xr.Dataset({"image": (dims, level), "variance": (dims, variance)}, coords)


def known(ds):
    return ds.assign_attrs(camera=Camera(gain=1.0, read_noise=2.0).to_json())


def test_a_correction_of_each_frame_is_subtracted_and_is_noise_of_its_own():
    frames = known(frame_set(np.full((2, 1, 2, 3), 50.0)))
    given_ = correction(
        np.array([10.0, 20.0]).reshape(2, 1, 1, 1), np.full((2, 1, 1, 1), 0.5), schema.DIMS
    )
    ds = aw.subtract_overscan(frames, given_, dtype="float64")
    assert ds["image"].values[:, 0, 1, 2].tolist() == [40.0, 30.0]
    np.testing.assert_array_equal(ds["variance"], 0.5)
    assert "shared_variance" not in ds
    full = aw.calibrate(frames, overscan=given_, dtype="float64")
    assert full["image"].values[:, 0, 0, 0].tolist() == [40.0, 30.0]
    assert full["variance"].values[:, 0, 0, 0].tolist() == [40.0 + 4.5, 30.0 + 4.5]
    by_name = given_.assign_coords(frame=["object-1", "object-0"])
    swapped = aw.subtract_overscan(frames, by_name)
    assert swapped["image"].values[:, 0, 1, 2].tolist() == [30.0, 40.0]


def test_a_correction_of_all_frames_is_noise_that_they_share():
    frames = known(frame_set(np.full((2, 1, 2, 3), 50.0)))
    level = np.arange(6.0).reshape(1, 2, 3)
    given_ = correction(level, np.full((1, 2, 3), 0.5), schema.DIMS[1:])
    ds = aw.calibrate(frames, overscan=given_, dtype="float64")
    np.testing.assert_array_equal(ds["image"].values, np.broadcast_to(50 - level, (2, 1, 2, 3)))
    np.testing.assert_array_equal(ds["shared_variance"], np.full((1, 2, 3), 0.5))
    np.testing.assert_array_equal(ds["variance"], ds["image"] + 4.5)
    bias = master(np.ones((2, 3)), np.full((2, 3), 0.25))
    both = aw.calibrate(frames, overscan=given_, bias=bias, dtype="float64")
    np.testing.assert_array_equal(both["shared_variance"], np.full((1, 2, 3), 0.75))
    assert set(both.autowisp.history()[-1]["masters"]) == {"bias", "overscan"}


@pytest.mark.parametrize("dims", [("y",), ("x",), ("frame", "y"), ("channel", "y", "x"), ()])
def test_axes_that_are_not_there_do_not_vary(dims):
    frames = frame_set(np.random.default_rng(1).normal(50, 5, (2, 1, 4, 3)))
    shape = tuple(frames.sizes[dim] for dim in dims)
    given_ = correction(np.random.default_rng(2).random(shape), np.full(shape, 0.25), dims)
    expected = frames["image"] - given_["image"]
    for chunks in (None, {"frame": 1, "y": 3}):
        raw = frames if chunks is None else frames.chunk(chunks)
        ds = aw.subtract_overscan(raw, given_, dtype="float64")
        np.testing.assert_allclose(ds["image"], expected.transpose(*schema.DIMS), rtol=1e-15)
        np.testing.assert_array_equal(ds["variance"], 0.25)
    lazy = aw.subtract_overscan(frames, given_.chunk(), dtype="float64")
    assert (lazy["image"].chunks is not None) == bool(dims)
    assert_frames_equal(lazy, ds.compute())


def test_where_a_correction_is_nan_a_pixel_is_lost():
    frames = frame_set([50.0, 60.0])
    given_ = correction(np.array([np.nan, 1.0]), np.array([1.0, 1.0]), ("x",))
    ds = aw.subtract_overscan(frames, given_)
    assert ds["mask"].values.ravel().tolist() == [Flag.FAULT, 0]
    np.testing.assert_array_equal(ds["image"].values.ravel(), [np.nan, 59.0])


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        (lambda ds: ds.drop_vars("variance"), aw.CalibrationError, "variance is missing among"),
        (lambda ds: ds.rename(x="z"), aw.CalibrationError, "is over channel, y, z; it can vary"),
        (
            lambda ds: ds.isel(x=slice(2)),
            aw.MasterMismatchError,
            r"covers 2 along 'x', the frames cover 3 \(raw pixels 0 to 2\)",
        ),
        (
            lambda ds: ds.assign_coords(y=[5, 6]),
            aw.MasterMismatchError,
            r"2 along 'y' \(raw pixels 5 to 6\), the frames cover 2 \(raw pixels 0 to 1\)",
        ),
        (
            lambda ds: ds.assign(image=ds["image"].assign_attrs(units="electron")),
            aw.MasterMismatchError,
            "in units of 'electron', 'adu' was expected",
        ),
        (
            lambda ds: ds.assign_coords(channel=["R"]),
            aw.MasterMismatchError,
            r"the channels \['R'\], the frames have \['mono'\]",
        ),
        (
            lambda ds: ds.expand_dims(frame=3),
            aw.MasterMismatchError,
            r"the frames \['3 without names'\], the frames have \['object-0', 'object-1'\]",
        ),
    ],
)
def test_a_correction_that_does_not_fit_is_refused(fault, error, text):
    frames = frame_set(np.full((2, 1, 2, 3), 50.0))
    given_ = correction(np.zeros((1, 2, 3)), np.ones((1, 2, 3)), schema.DIMS[1:])
    aw.subtract_overscan(frames, given_)
    with pytest.raises(error, match=text):
        aw.subtract_overscan(frames, fault(given_))


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("wrong", ["median", [], [None], 5.0, True])
def test_what_is_no_method_is_refused(wrong):
    raw = frame_set(np.ones((2, 3)), camera=camera(area(0, 1, 0, 2), gain=1.0, read_noise=1.0))
    with pytest.raises(aw.CalibrationError, match="overscan is None, False, an Overscan, a seq"):
        aw.calibrate(raw, overscan=wrong)
    with pytest.raises(aw.CalibrationError, match="overscan is None, False, an Overscan, a seq"):
        aw.subtract_overscan(raw, wrong)


@pytest.mark.filterwarnings("ignore:no high master flat")  # noise has no light
def test_the_accessor_takes_what_the_functions_take(noisy):
    facts = replace(noisy.autowisp.camera, gain=1.0, read_noise=1.0)
    noisy = noisy.assign_attrs(camera=facts.to_json())
    given_ = correction(np.zeros(()), np.ones(()), ())
    for overscan in (PASSES, given_, False):
        assert_frames_equal(
            noisy.autowisp.subtract_overscan(overscan), aw.subtract_overscan(noisy, overscan)
        )
        assert_frames_equal(
            noisy.autowisp.calibrate(overscan=overscan), aw.calibrate(noisy, overscan=overscan)
        )
    for stacked in (aw.master_bias, aw.master_dark, lambda ds, **o: aw.master_flat(ds, **o).high):
        some = noisy.isel(frame=[0, 1]).drop_vars("image_type")
        master_ = stacked(some, overscan=PASSES)
        steps = master_.autowisp.history()
        used = [step["options"].get("overscan") for step in steps if step["verb"] == "calibrate"]
        assert [len(passes) for passes in used] == [2]


def test_frames_that_show_nothing_of_the_image_are_corrected_all_the_same(noisy):
    facts = replace(noisy.autowisp.camera, image_area=area(20, 30, 20, 30))
    ds = aw.subtract_overscan(noisy, Overscan(min_pixels=10), camera=facts)
    assert np.isfinite(ds["image"].values[0]).all()


def test_false_subtracts_nothing(noisy):
    ds = aw.subtract_overscan(noisy, False, dtype="float64")
    np.testing.assert_array_equal(ds["image"], noisy["image"])


def test_rows_of_the_image_without_overscan_are_refused_before_anything_is_computed(noisy):
    short = Overscan(per="row", areas=area(0, 4, 2, 12), min_pixels=10)
    with no_compute(), pytest.raises(aw.CalibrationError, match=r"rows .* pixels, 0 to 1; give"):
        aw.subtract_overscan(noisy.chunk(frame=1).assign_coords(noisy.coords), short)


def test_an_amplifier_with_too_few_pixels_is_named_with_the_frame(noisy):
    facts = replace(noisy.autowisp.camera, amplifiers=[area(0, 16, 0, 4), area(0, 16, 4, 12)])
    with pytest.raises(
        aw.ConvergenceError,
        match="frame 'object-0', amplifier 0 < x < 16, 0 < y < 4: 16 overscan pixels are left",
    ):
        aw.subtract_overscan(noisy, Overscan(min_pixels=20), camera=facts)


def test_inputs_stay_as_they_are(noisy):
    before = noisy.copy(deep=True)
    given_ = correction(np.zeros(16), np.ones(16), ("x",))
    kept = given_.copy(deep=True)
    aw.subtract_overscan(noisy, PASSES)
    aw.subtract_overscan(noisy, given_)
    xr.testing.assert_identical(noisy, before)
    xr.testing.assert_identical(given_, kept)


def test_a_correction_of_a_frame_is_not_taken_for_that_of_others():
    frames = known(frame_set(np.full((3, 1, 2, 3), 50.0)))
    given_ = correction(np.ones((1, 1, 2, 3)), np.ones((1, 1, 2, 3)), schema.DIMS)
    strange = given_.assign_coords(frame=["nobody"])
    with pytest.raises(aw.MasterMismatchError, match=r"has the frames \['nobody'"):
        aw.calibrate(frames, overscan=strange)
    nameless = given_.drop_vars("frame", errors="ignore")
    assert "shared_variance" in aw.calibrate(frames, overscan=nameless)


def test_an_overscan_that_sees_light_is_refused_with_both_areas():
    facts = camera(area(1, 3, 0, 1), image_area=area(2, 4, 0, 1), gain=1.0, read_noise=1.0)
    raw = frame_set(np.array([10, 10, 100, 100], "u2"), camera=facts)
    for verb in (aw.subtract_overscan, aw.calibrate):
        with pytest.raises(aw.CalibrationError, match=r"1 < x < 3, .* overlaps .* 2 < x < 4, "):
            verb(raw, overscan=FEW)
