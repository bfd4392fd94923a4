"""Master flats of selected frames."""

from dataclasses import replace

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter

import autowisp_xr as aw
from autowisp_xr import Camera, Flag, FlatSelection, provenance
from autowisp_xr.bridge import planner
from autowisp_xr.image_smoothing import PolynomialImageSmoother, WrapFilterAsSmoother
from autowisp_xr.stack import averaging
from autowisp_xr.stack.engine import average_through_frames
from autowisp_xr.testing import assert_frames_equal, no_compute
from tests.flats.flat_sets import SHAPE, apart, flats, response
from tests.steps.frames import TWO_CHANNELS, frame_set, master, text

CHUNKS = [{"frame": 1}, {"y": 17}, {"frame": 3, "y": 50, "x": 31}]
Y, X = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
PLANE = PolynomialImageSmoother(num_x_terms=2, num_y_terms=2)
QUICK = FlatSelection(
    large_scale_smoother=PolynomialImageSmoother(num_x_terms=3, num_y_terms=3),
    cloud_check_smoother=WrapFilterAsSmoother(median_filter, size=6, bin_factor=4),
    min_high_frames=4,
    min_low_frames=3,
)
# neither shapes nor clouds: what is left is arithmetic that can be done by hand
BARE = {
    "smoother": None,
    "large_scale_smoother": None,
    "cloud_check_smoother": None,
    "large_scale_reject": None,
    "cloudy_frame_threshold": None,
    "fraction": 1,
}
MEAN = {"average": "mean", "reject": None, "dtype": "float64"}


def classes(flats_made):
    return flats_made.frames["class"].values.tolist()


def columns(*frames, **options):
    """Calibrated frames of a row of pixels, without flags."""
    image = np.array(frames, float)[:, None, None, :]
    planes = {"variance": np.ones_like(image), "mask": np.zeros(image.shape, np.uint8)}
    return frame_set(image, kind="flat", **{**planes, **options})


@pytest.fixture(scope="module")
def flat_set():
    """Six high, three low, a medium frame, a cloud (10), its better (11), a pair (12, 13)."""
    levels = [8e3, 9e3, 1e4, 1.1e4, 1.2e4, 1.3e4, 2e3, 2.3e3, 2.6e3, 4e3, 1e4, 1e4, 1e4, 1e4]
    light = np.ones((14, 1, *SHAPE))
    light[:9, 0] *= 1 + np.linspace(-0.02, 0.02, 9)[:, None, None] * X  # twilight
    light[10] *= 1 - 0.4 * np.sin(4 * X + 1) * np.cos(5 * Y)  # a cloud
    light[11] *= 1 - 0.05 * np.cos(5 * X) * (np.abs(Y) > 0.6)  # beside the stamp
    ds = flats(levels, light, seed=1)
    ds["mask"][9, 0, 44:50, 50:60] = Flag.LEAKED
    ra = np.arange(14.0)
    ra[13] = ra[12]
    return apart(ds, ra, np.zeros(14))


@pytest.fixture(scope="module")
def made(flat_set):
    return aw.master_flat(flat_set, select=QUICK)


# ---------------------------------------------------------------------- by hand


def test_selected_flats_by_hand():
    ds = columns([50, 100, 150], [200, 400, 600], [5, 10, 15], [4, 10, 16])
    selection = FlatSelection(
        **BARE, min_high_mean=90, max_low_mean=20, min_high_frames=2, min_low_frames=2
    )
    result = aw.master_flat(ds, select=selection, **MEAN)
    assert classes(result) == ["high", "high", "low", "low"]
    assert result.high["image"].values.ravel().tolist() == [0.5, 1.0, 1.5]
    np.testing.assert_allclose(result.low["image"].values.ravel(), [0.45, 1.0, 1.55])
    # each variance of one over the square of the mean
    np.testing.assert_allclose(result.high["variance"], (1 / 1e4 + 1 / 16e4) / 4)
    np.testing.assert_allclose(result.low["variance"], (1 / 1e2 + 1 / 1e2) / 4)
    # each frame over its median, and of that a median
    np.testing.assert_allclose(result.reference["image"].values.ravel(), [0.5, 1.0, 1.5])
    assert result.high["image"].attrs["units"] == "1"


def test_all_frames_high_is_the_master_without_a_selection(rng):
    ds = columns(*rng.uniform(90, 110, (5, 8)))
    bare = FlatSelection.dome(**BARE, min_high_frames=5)
    selected = aw.master_flat(ds, select=bare)
    assert_frames_equal(selected.high, aw.master_flat(ds).high)
    assert selected.low is None
    assert selected.notes == []


def test_each_master_has_the_shape_of_the_reference(flat_set):
    """Frames that are the response under tilted light, without noise: all become the reference."""
    tilt = np.array([-0.02, -0.01, 0.0, 0.01, 0.02, 0.01, 0.01])[:, None, None, None]
    level = np.array([7e3, 8e3, 9e3, 1e4, 1.1e4, 2e3, 2.5e3])[:, None, None, None]
    image = level * response() / (1 + tilt * X)
    ds = frame_set(image, kind="flat", variance=image, mask=np.zeros(image.shape, np.uint8))
    selection = replace(
        QUICK, large_scale_smoother=PLANE, min_low_frames=2, cloudy_frame_threshold=None
    )
    result = aw.master_flat(ds, select=selection, dtype="float64")
    assert classes(result) == ["high"] * 5 + ["low"] * 2
    truth = result.reference["image"].values / result.reference["image"].values.mean()
    # where the light of two frames is equal, their median has a kink that no plane follows
    np.testing.assert_allclose(result.high["image"], truth, rtol=1e-4)
    np.testing.assert_allclose(result.low["image"], result.high["image"], rtol=1e-7)
    unmatched = aw.master_flat(
        ds.isel(frame=[5, 6]), average="mean", reject=None, dtype="float64"
    ).high
    assert np.abs(unmatched["image"].values / truth - 1).max() > 0.008


# ---------------------------------------------------------------------- what comes of a heap


def test_frames_are_of_their_classes_and_masters_of_theirs(made):
    assert classes(made) == [
        *["high"] * 6,
        *["low"] * 3,
        "saturated",
        "cloudy",
        "cloudy",
        "colocated",
        "colocated",
    ]
    described = made.frames["reason"].values.tolist()
    assert "structure of" not in described[10]
    assert described[11].startswith("structure of ")
    assert described[11].endswith(" % is left after matching, more than 1 %")
    # the deviation of those that were held against the reference, and of no others
    assert np.isfinite(made.frames["deviation"].values[:, 0]).tolist() == (
        [True] * 9 + [False] * 2 + [True] + [False] * 2
    )
    assert float(made.frames["deviation"][11, 0]) > 0.01
    assert int(made.high["count"].max()) == 6
    assert int(made.low["count"].max()) == 3
    assert made.notes == []


def test_masters_are_masters_of_the_response(made):
    for one, level, number in ((made.high, 1e4, 6), (made.low, 2.4e3, 3)):
        assert dict(one.sizes) == {"channel": 1, "y": SHAPE[0], "x": SHAPE[1]}
        ratio = one["image"].values / response()
        assert ratio.std() < 1.3 * np.sqrt(1 / (2 * level * number)) + 0.005
        assert float(one["image"].mean()) == pytest.approx(1.0, rel=2e-3)


def test_clouds_are_shown_where_they_are(flat_set, made):
    clouds = made.clouds("flat-11", "flat-0")
    assert clouds.dims == ("frame", "channel", "y", "x")
    assert clouds.dtype == np.float32
    assert clouds["frame"].values.tolist() == ["flat-11", "flat-0"]
    largest = np.abs(clouds).max(["y", "x"]).values[:, 0]
    expected = made.frames["deviation"].values[[11, 0], 0]
    np.testing.assert_allclose(largest, expected, rtol=1e-6)
    assert made.clouds().sizes["frame"] == 14
    without = aw.master_flat(flat_set.isel(frame=slice(0, 6)))
    with pytest.raises(ValueError, match="there is no reference to hold frames against"):
        without.clouds()


def test_the_input_is_untouched(flat_set):
    before = flat_set.copy(deep=True)
    result = aw.master_flat(flat_set, select=QUICK)
    result.clouds()
    xr.testing.assert_identical(flat_set, before)
    assert flat_set.attrs == before.attrs


# ---------------------------------------------------------------------- chunks


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_chunks_change_no_bit(flat_set, made, chunks, scheduler):
    lazy = flat_set.chunk(chunks).assign_coords(flat_set.coords)
    with dask.config.set(scheduler=scheduler):
        found = aw.master_flat(lazy, select=QUICK)
        for name in ("high", "low", "reference", "frames"):
            assert_frames_equal(getattr(found, name), getattr(made, name))
        np.testing.assert_array_equal(found.clouds("flat-11"), made.clouds("flat-11"))


def test_what_decides_is_computed_and_masters_stay_lazy(flat_set):
    found = aw.master_flat(flat_set.chunk(frame=1).assign_coords(flat_set.coords), select=QUICK)
    for one in (found.high, found.low, found.chosen_from):
        assert all(one[name].chunks is not None for name in one.data_vars)
        assert all(one[name].variable._in_memory for name in one.coords)
    for table in (found.frames, found.reference):
        assert all(table[name].variable._in_memory for name in table.variables)
    with no_compute():
        assert "6 high" in repr(found)
        assert found.clouds("flat-0").chunks is not None
    with pytest.raises(AssertionError, match="should have stayed lazy"), no_compute():
        found.high.compute()


def test_the_pixels_of_the_masters_are_not_read_in_the_call(flat_set):
    """Each frame is read for its stamp; high ones for their medians and for the reference; high
    and low ones to match them to it."""
    reads = []

    def counted(block):
        reads.append(block.shape)
        return block

    image = flat_set["image"].chunk(frame=1)
    lazy = flat_set.assign(
        image=image.copy(data=image.data.map_blocks(counted, meta=image.data._meta))
    )
    found = aw.master_flat(lazy, select=QUICK)
    # two are colocated; the seventh high frame is the one that is found cloudy
    in_the_call = 12 + 7 + 7 + (7 + 3)
    assert len(reads) == in_the_call
    found.high.compute()
    assert len(reads) == in_the_call + 6


def test_raw_frames_from_disk_give_the_same_bits(tmp_path):
    """They are calibrated once more, in bands, for the masters."""
    camera = Camera(gain=2.0, read_noise=5.0, saturation=6e4)
    ds = flats([8e3, 9e3, 1e4, 1.1e4, 1.2e4], seed=3)
    raw = frame_set(np.rint(ds["image"].values + 100).astype("u2"), camera=camera, kind="flat")
    bias = master(np.full(SHAPE, 100.0), np.full(SHAPE, 0.1), np.zeros(SHAPE, np.uint8))
    expected = aw.master_flat(raw, bias=bias, select=QUICK)
    raw.to_zarr(tmp_path / "raw", consolidated=False)
    stored = xr.open_zarr(tmp_path / "raw", chunks=None, consolidated=False)
    found = aw.master_flat(stored, bias=bias, select=QUICK)
    assert_frames_equal(found.high, expected.high)
    assert_frames_equal(found.frames, expected.frames)
    assert found.high["image"].chunks is not None
    first = aw.master_flat(aw.calibrate(raw, bias=bias), select=QUICK)
    assert_frames_equal(first.high, expected.high)


# ---------------------------------------------------------------------- masked pixels


@pytest.mark.parametrize(("limit", "passes"), [("30MB", 1), ("15MB", 2)])
def test_masters_that_are_too_large_are_written_by_rows(tmp_path, monkeypatch, limit, passes):
    night = aw.simulate.Night(shape=(640, 1024), seed=3)
    aw.to_fits(night.flat(3), tmp_path / "{frame}.fits")
    raw = aw.open_fits(tmp_path / "*.fits", camera=night.camera)
    bias = aw.master_bias(night.bias(3), camera=night.camera)
    whole = aw.master_flat(raw, bias=bias).high.compute()
    rows = []

    def counted(frames, *rest):
        rows.append(frames.values.shape[-2])
        return average_through_frames(frames, *rest)

    monkeypatch.setattr(averaging, "average_through_frames", counted)
    monkeypatch.setattr(planner, "SHARD_BYTES", 2**18)
    made = aw.master_flat(raw, bias=bias, memory_limit=limit).high
    stored = aw.to_zarr(made, tmp_path / "flat.zarr", memory_limit=limit)
    xr.testing.assert_equal(stored.compute(), whole)
    # in one go where there is room for that, else once for the mean and once for the rows
    assert sum(rows) == passes * 640


def test_a_pixel_that_a_mask_leaves_out_changes_nothing(flat_set):
    masked, worse = flat_set.copy(deep=True), flat_set.copy(deep=True)
    for ds in (masked, worse):
        ds["mask"][:, 0, [20, 48], [30, 55]] = Flag.COSMIC
    worse["image"][:, 0, [20, 48], [30, 55]] = 6e8
    found, expected = (aw.master_flat(ds, select=QUICK) for ds in (worse, masked))
    assert_frames_equal(found.frames, expected.frames)
    for kind in ("high", "low"):
        assert_frames_equal(getattr(found, kind), getattr(expected, kind))
    assert np.isnan(found.high["image"].values[0, [20, 48], [30, 55]]).all()


def test_a_frame_that_is_all_masked_has_a_reason_and_takes_no_part(flat_set):
    ds = flat_set.copy(deep=True)
    ds["mask"][0] = Flag.FAULT
    found = aw.master_flat(ds, select=QUICK)
    assert classes(found)[0] == "medium"
    assert (
        found.frames["reason"].values[0]
        == "its stamp cannot be measured: pixels are flagged, zero or not finite"
    )
    without = aw.master_flat(flat_set.isel(frame=slice(1, None)), select=QUICK)
    assert_frames_equal(found.high, without.high)


def test_a_frame_of_nan_has_a_reason_and_takes_no_part(flat_set):
    ds = flat_set.copy(deep=True)
    ds["image"][0] = np.nan
    ds["mask"][0] = Flag.FAULT
    found = aw.master_flat(ds, select=QUICK)
    assert classes(found)[0] == "medium"
    assert np.isfinite(found.high["image"]).all()


# ---------------------------------------------------------------------- too few


def test_too_few_high_frames_make_no_master_and_a_warning(flat_set):
    many = replace(QUICK, min_high_frames=7)
    message = "no high master flat: 6 of 14 frames are high, at least 7 are needed"
    with pytest.warns(aw.AutowispWarning, match=message):
        found = aw.master_flat(flat_set, select=many)
    # the cloudy frame 11 was high until it was held against a reference of seven
    assert found.high is None
    assert found.notes == [message]


def test_without_a_reference_there_is_no_low_master_either(flat_set):
    many = replace(QUICK, min_high_frames=8)
    with pytest.warns(aw.AutowispWarning, match="7 of 14 frames are high, at least 8"):
        found = aw.master_flat(flat_set, select=many)
    assert (found.high, found.low, found.reference) == (None, None, None)
    assert found.notes[1] == (
        "no low master flat: its large-scale shape would be that of the high frames, which are "
        "too few"
    )
    assert np.isnan(found.frames["deviation"]).all()


def test_too_few_low_frames_make_no_low_master_and_no_warning(flat_set):
    found = aw.master_flat(flat_set, select=replace(QUICK, min_low_frames=4))
    assert found.high is not None
    assert found.low is None
    note = "no low master flat: 3 of 14 frames are low, at least 4 are needed"
    assert found.notes == [note]
    assert note in repr(found)
    exact = aw.master_flat(flat_set, select=replace(QUICK, min_low_frames=3, min_high_frames=6))
    assert exact.low is not None


def test_without_any_low_frame_nothing_is_stated_about_a_low_master(flat_set):
    found = aw.master_flat(flat_set.isel(frame=slice(0, 6)), select=QUICK)
    assert found.low is None
    assert found.notes == []


# ---------------------------------------------------------------------- switches


def test_none_leaves_clouds_in(flat_set):
    found = aw.master_flat(flat_set, select=replace(QUICK, large_scale_deviation_threshold=None))
    assert classes(found)[11] == "high"
    assert np.isnan(found.frames["deviation"]).all()
    blind = aw.master_flat(flat_set, select=replace(QUICK, cloud_check_smoother=None))
    assert classes(blind)[11] == "high"


def test_without_a_smoother_the_light_of_each_frame_stays_in_the_master(flat_set):
    plain = replace(QUICK, large_scale_smoother=None, cloud_check_smoother=None)
    tilted = flat_set.isel(frame=[0, 1, 2, 3])  # all tilted to one side
    found = aw.master_flat(tilted, select=plain)
    assert_frames_equal(found.high, aw.master_flat(tilted).high)
    assert not np.allclose(found.high["image"], aw.master_flat(tilted, select=QUICK).high["image"])


def test_a_dome_makes_one_master_of_all_good_frames():
    ds = flats([800, 9e3, 1e4, 1.1e4, 1.2e4]).drop_vars(["ra", "dec"])
    quick = {
        name: getattr(QUICK, name)
        for name in ("large_scale_smoother", "cloud_check_smoother", "min_high_frames")
    }
    found = aw.master_flat(
        ds, select=FlatSelection.dome(**quick, large_scale_deviation_threshold=0.1)
    )
    assert classes(found) == ["high"] * 5
    assert found.notes == []


# ---------------------------------------------------------------------- filters, channels


def test_each_filter_has_masters_of_its_own(flat_set):
    names = ["V", "R"] * 7
    ds = flat_set.assign_coords(filter=("frame", text(*names)))
    selection = replace(QUICK, min_high_frames=3, min_low_frames=1, cloudy_frame_threshold=None)
    found = aw.master_flats(ds, select=selection)
    assert list(found) == ["V", "R"]
    for number, name in enumerate(found):
        expected = aw.master_flat(ds.isel(frame=slice(number, None, 2)), select=selection)
        assert_frames_equal(found[name].high, expected.high)
        assert_frames_equal(found[name].frames, expected.frames)
        assert str(found[name].high["filter"].values) == name
    with pytest.raises(aw.ImageMismatchError, match=r"filters .*: 7 of V, 7 of R; select"):
        aw.master_flat(ds, select=selection)


def test_frames_without_a_filter_are_one_group(flat_set):
    found = aw.master_flats(flat_set.drop_vars("filter"), select=QUICK)
    assert list(found) == [""]
    assert found[""].high is not None


@pytest.fixture(scope="module")
def colours():
    """Five frames of two channels; frame 0 is cloudy in B alone, beside the stamp."""
    light = np.ones((6, 2, *SHAPE))
    light[0, 1] *= 1 - 0.05 * np.cos(5 * X) * (np.abs(Y) > 0.6)
    return flats(np.linspace(8e3, 1.2e4, 6)[:, None] * [1.0, 1.3], light, seed=2)


def test_a_frame_that_is_cloudy_in_one_channel_is_left_out_of_all(colours):
    found = aw.master_flat(colours, select=QUICK)
    assert classes(found) == ["cloudy", *["high"] * 5]
    assert found.high["count"].max(["y", "x"]).values.tolist() == [5, 5]
    np.testing.assert_allclose(found.high["image"].mean(["y", "x"]), [1, 1], rtol=2e-3)


def test_channels_that_choose_apart_have_frames_of_their_own(colours):
    found = aw.master_flat(colours, select=replace(QUICK, together=False))
    assert found.frames["class"].dims == ("frame", "channel")
    assert found.frames["class"].sel(channel="A").values.tolist() == ["high"] * 6
    assert found.frames["class"].sel(channel="B").values.tolist() == ["cloudy", *["high"] * 5]
    assert found.high["channel"].values.tolist() == ["A", "B"]
    assert found.high["count"].max(["y", "x"]).values.tolist() == [6, 5]
    together = aw.master_flat(colours, select=QUICK)
    np.testing.assert_array_equal(found.high["image"][1], together.high["image"][1])
    alone = aw.master_flat(colours.isel(channel=[0]), select=QUICK)
    np.testing.assert_array_equal(found.high["image"][0], alone.high["image"][0])
    np.testing.assert_array_equal(found.clouds("flat-0")[0, 1], together.clouds("flat-0")[0, 1])
    assert "high" in repr(found)


def test_a_channel_without_a_master_leaves_the_others_theirs(colours):
    levels = {"min_high_mean": {"A": 6e3, "B": 1e9}, "max_low_mean": None}
    selection = replace(QUICK, together=False, **levels)
    with pytest.warns(aw.AutowispWarning, match="0 of 6 frames are high"):
        found = aw.master_flat(colours, select=selection)
    assert found.high["channel"].values.tolist() == ["A"]
    assert [note for note in found.notes if note.startswith("B: no high master flat")]


@pytest.mark.parametrize("together", [True, False])
def test_chunks_change_no_bit_of_colours(colours, together):
    selection = replace(QUICK, together=together)
    expected = aw.master_flat(colours, select=selection)
    found = aw.master_flat(colours.chunk(frame=2, y=40), select=selection)
    assert_frames_equal(found.high, expected.high)
    assert_frames_equal(found.frames, expected.frames)
    assert all(found.high[name].chunks is not None for name in found.high.data_vars)


@pytest.mark.filterwarnings("ignore:no bias, dark or level is subtracted")
def test_saturated_pixels_leak_into_other_colours_though_these_choose_apart(tmp_path):
    """Channels must be calibrated together: a full pixel of A flags its neighbour of B."""
    camera = Camera(
        gain=2.0, read_noise=5.0, saturation=6e4, channels=TWO_CHANNELS, leak_directions=[(1, 0)]
    )
    planes = flats(np.full((5, 2), 1e4), seed=4)["image"].values
    planes[0, 0, 48, 56] = 65000.0
    raw = frame_set(np.rint(planes).astype("u2"), camera=camera, kind="flat")
    selection = replace(QUICK, together=False, cloudy_frame_threshold=None)
    found = aw.master_flat(raw, select=selection)
    assert found.frames["class"].values[0].tolist() == ["saturated", "saturated"]
    # and so when they are calibrated once more, in bands, for the masters
    raw.to_zarr(tmp_path / "raw", consolidated=False)
    stored = xr.open_zarr(tmp_path / "raw", chunks=None, consolidated=False)
    allowed = replace(selection, max_saturated_fraction=None)
    found, expected = (aw.master_flat(ds, select=allowed) for ds in (stored, raw))
    assert expected.high["count"].values[:, 48, 56].tolist() == [4, 4]
    assert_frames_equal(found.high, expected.high)


# ---------------------------------------------------------------------- history


def test_the_history_states_what_was_selected_and_why_others_were_not(made):
    steps = made.high.autowisp.history()
    step = next(step for step in steps if step["verb"] == "select_flats")
    assert step["options"]["class"] == "high"
    assert step["options"]["selection"]["min_high_frames"] == 4
    left_out = step["of_set"]["left_out"]
    assert sorted(left_out) == sorted(f"flat-{i}" for i in range(6, 14))
    assert left_out["flat-11"].startswith("cloudy: structure of ")
    assert left_out["flat-12"].startswith("colocated: 0.0 arcsec from flat-13")
    assert [step["verb"] for step in steps][-3:] == ["select_flats", "normalise", "stack"]
    low = made.low.autowisp.history()
    step = next(step for step in low if step["verb"] == "select_flats")
    assert step["options"]["class"] == "low"
    assert "flat-0" in step["of_set"]["left_out"]


def test_two_runs_have_one_history_and_other_selections_another(flat_set, made):
    def described(result):
        return provenance.identity(result.high), provenance.identities(result.high)

    assert described(aw.master_flat(flat_set, select=QUICK)) == described(made)
    other = aw.master_flat(flat_set, select=replace(QUICK, min_high_mean=5.9e3))
    assert provenance.identity(other.high) != provenance.identity(made.high)
    assert provenance.identity(made.low) != provenance.identity(made.high)


def test_a_master_of_selected_flats_calibrates(made):
    science = frame_set((500 * response()[None]).astype("f4"), camera=Camera(gain=2, read_noise=5))
    result = aw.calibrate(science, flat=made.high)
    assert result["image"].values.std() / 500 < 0.02
    assert provenance.identity(made.high) in provenance.identities(result)


# ---------------------------------------------------------------------- refusals


def test_a_dark_of_another_exposure_is_refused_before_anything_is_selected(flat_set):
    raw = flat_set[["image"]].assign_attrs(flat_set.attrs)
    dark = master(np.zeros(SHAPE), np.ones(SHAPE), exposure=10.0)
    with pytest.raises(aw.MasterMismatchError, match="exposed 10 s"):
        aw.master_flat(raw, dark=dark, select=QUICK)


@pytest.mark.parametrize("select", [True, "dome", {"min_high_mean": 6e3}])
def test_what_is_no_selection_is_refused(flat_set, select):
    with pytest.raises(TypeError, match="select is None or a FlatSelection, such as"):
        aw.master_flat(flat_set, select=select)


def test_misspelt_options_are_refused(flat_set):
    with pytest.raises(TypeError, match="rejct"):
        aw.master_flat(flat_set, select=QUICK, rejct=None)


# ---------------------------------------------------------------------- properties


@settings(max_examples=6, deadline=None)
@given(st.permutations(range(14)))
def test_the_order_of_frames_changes_nothing(flat_set, made, order):
    found = aw.master_flat(flat_set.isel(frame=list(order)), select=QUICK)
    assert classes(found) == [classes(made)[i] for i in order]
    np.testing.assert_array_equal(found.high["image"], made.high["image"])
    np.testing.assert_array_equal(found.low["image"], made.low["image"])


@settings(max_examples=6, deadline=None)
@given(st.permutations(range(14)))
def test_nor_does_it_change_more_than_rounding_of_a_mean(flat_set, order):
    expected = aw.master_flat(flat_set, select=QUICK, **MEAN)
    found = aw.master_flat(flat_set.isel(frame=list(order)), select=QUICK, **MEAN)
    for kind in ("high", "low"):
        for name in ("image", "variance"):
            ours, theirs = (getattr(r, kind)[name] for r in (found, expected))
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@settings(max_examples=6, deadline=None)
@given(st.floats(0.01, 100))
def test_another_unit_of_light_changes_nothing(flat_set, made, c):
    planes = {
        "image": flat_set["image"] * np.float32(c),
        "variance": flat_set["variance"] * np.float32(c) ** 2,
    }
    ds = flat_set.assign(
        {name: plane.assign_attrs(flat_set[name].attrs) for name, plane in planes.items()}
    )
    limits = {"min_high_mean": 6e3 * c, "max_low_mean": 3e3 * c}
    found = aw.master_flat(ds, select=replace(QUICK, **limits))
    assert classes(found) == classes(made)
    np.testing.assert_allclose(found.high["image"], made.high["image"], rtol=1e-5)
    np.testing.assert_allclose(found.low["image"], made.low["image"], rtol=1e-5)
    np.testing.assert_allclose(found.high["variance"], made.high["variance"], rtol=1e-4)
