"""``stack``: extremes, percentiles and noise as reasons to leave a value out, and their numbers."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import autowisp_xr as aw
from autowisp_xr import (
    Flag,
    GeneralizedESD,
    MinMax,
    NoiseClip,
    Percentile,
    SigmaClip,
    WinsorizedSigmaClip,
    schema,
)
from autowisp_xr.testing import assert_frames_equal, no_compute
from tests.kernels.slow import average_of
from tests.outliers.slow import survivors
from tests.stack.test_stacking import F8, cards, column, one, with_headers
from tests.steps.frames import frame_set
from tests.steps.test_contracts import lazy

REJECTIONS = [
    MinMax(),
    MinMax(0, 1),
    MinMax(low=1, high=0),
    Percentile(0.03, 0.01),
    NoiseClip(0.9),
    NoiseClip((0.7, -1.3), max_iter=1),
    SigmaClip(1.1),
    SigmaClip((1.3, -0.9), scale="mad", about="median", max_iter=1),
    WinsorizedSigmaClip(1.6),
    WinsorizedSigmaClip((1.2, -2.1), max_iter=1),
    GeneralizedESD(0.3),
    GeneralizedESD(0.5, outliers=1),
]


@pytest.fixture
def frames(frames):
    """Of one exposure, so that their values can be held against each other."""
    return frames.assign_coords(exposure=("frame", [60.0] * 3))


# ---------------------------------------------------------------------- by hand


def test_extremes_go_whatever_they_are():
    frames = column(10.0, 11.0, 12.0, 14.0, 1000.0)
    ds = aw.stack(frames, "mean", reject=MinMax(), rejected=True, **F8)
    assert one(ds) == pytest.approx(37 / 3)
    assert [one(ds, name) for name in ("count", "rejected_low", "rejected_high")] == [3, 1, 1]
    top = aw.stack(frames, "mean", reject=MinMax(0, 2), rejected=True, **F8)
    assert one(top) == 11.0
    assert [one(top, name) for name in ("count", "rejected_low", "rejected_high")] == [3, 0, 2]
    assert one(aw.stack(frames, "median", reject=MinMax(3, 0))) == 507.0


def test_of_equal_values_as_many_go_as_were_asked_for():
    ds = aw.stack(column(5.0, 5.0, 5.0, 5.0), "mean", reject=MinMax(1, 2), rejected=True)
    assert (one(ds), one(ds, "count")) == (5.0, 1)
    assert (one(ds, "rejected_low"), one(ds, "rejected_high")) == (1, 2)


def test_a_pixel_that_has_no_more_than_extremes_is_left_with_none():
    frames = column(1.0, 2.0, 3.0, np.nan, mask=[Flag.COSMIC, 0, 0, Flag.FAULT])
    ds = aw.stack(frames, "mean", reject=MinMax(), rejected=True)
    assert np.isnan(one(ds))
    assert np.isnan(one(ds, "variance"))
    assert (one(ds, "count"), one(ds, "rejected_low"), one(ds, "rejected_high")) == (0, 1, 1)
    assert one(ds, "mask") & Flag.FAULT
    three = aw.stack(frames, "mean", reject=MinMax(), exclude="FAULT")
    # one value is left, and has no scatter
    assert (one(three), one(three, "mask")) == (2.0, Flag.FAULT)


def test_the_variance_of_the_middle_of_three_is_that_of_their_median():
    frames = column(1.0, 2.0, 9.0, variance=[4.0, 4.0, 4.0])
    middle = aw.stack(frames, "mean", reject=MinMax(), **F8)
    median = aw.stack(frames, "median", **F8)
    assert one(middle) == one(median) == 2.0
    assert one(middle, "variance") == pytest.approx(one(median, "variance"), rel=1e-9)
    assert np.isnan(one(aw.stack(frames, "mean", reject=MinMax(), error="scatter"), "variance"))


def test_fractions_of_the_median():
    frames = column(79.0, 80.0, 100.0, 110.0, 111.0)
    ds = aw.stack(frames, "mean", reject=Percentile(0.2, 0.1), rejected=True, **F8)
    assert one(ds) == pytest.approx(290 / 3)
    assert (one(ds, "rejected_low"), one(ds, "rejected_high")) == (1, 1)
    # about the median, whatever the average, and once
    assert one(aw.stack(frames, 0.0, reject=Percentile(0.2, 0.1))) == 80.0


@pytest.mark.parametrize("shift", [100.0, 300.0])
def test_nothing_is_rejected_where_the_median_is_not_positive(shift):
    frames = column(*(np.array([79.0, 80.0, 100.0, 110.0, 500.0]) - shift))
    assert one(aw.stack(frames, "mean", reject=Percentile()), "count") == 5


def test_noise_gives_an_outlier_among_two():
    frames = column(10.0, 12.0, variance=[1.0, 0.01])
    ds = aw.stack(frames, "mean", reject=NoiseClip(2.0), rejected=True)
    # 11 is one noise from 10 and ten from 12
    assert (one(ds), one(ds, "rejected_low"), one(ds, "rejected_high")) == (10.0, 0, 1)
    assert one(ds, "variance") == 1.0
    both = aw.stack(frames, "mean", reject=NoiseClip((20.0, -2.0)))
    assert one(both, "count") == 2


def test_rounds_of_noise_go_on_until_nothing_is_beyond():
    # the median goes from 15 to 8, from which 30 is farther than 20
    frames = column(0.0, 1.0, 15.0, 30.0, 100.0, variance=[4.0] * 5)
    once = aw.stack(frames, "mean", reject=NoiseClip(10, max_iter=1), **F8)
    assert (one(once), one(once, "count")) == (11.5, 4)
    twice = aw.stack(frames, "mean", reject=NoiseClip(10), rejected=True, **F8)
    assert (one(twice), one(twice, "rejected_high")) == (pytest.approx(16 / 3), 2)
    none = aw.stack(frames, "mean", reject=NoiseClip(10, max_iter=0), **F8)
    assert one(none, "count") == 5


def test_what_frames_share_is_no_noise_between_them():
    frames = frame_set(
        np.reshape([10.0, 12.0, 10.0], (3, 1, 1, 1)),
        variance=np.full((3, 1, 1, 1), 100.01),
        shared_variance=np.full((1, 1, 1), 100.0),
    )
    ds = aw.stack(frames, reject=NoiseClip(5), **F8)
    assert one(ds, "count") == 2
    assert one(aw.stack(frames.drop_vars("shared_variance"), reject=NoiseClip(5)), "count") == 3


def test_noise_rejects_though_the_error_comes_from_the_scatter():
    frames = column(10.0, 11.0, 12.0, 90.0, variance=[1.0] * 4)
    ds = aw.stack(frames, "mean", reject=NoiseClip(5), error="scatter", **F8)
    assert (one(ds, "count"), one(ds)) == (3, 11.0)
    assert one(ds, "variance") == pytest.approx(2 / 6)


# ---------------------------------------------------------------------- the slow version


@pytest.mark.parametrize("average", ["mean", "median", 0.3])
@pytest.mark.parametrize("reject", REJECTIONS)
@pytest.mark.parametrize("exclude", ["BAD", "FAULT", 0])
def test_the_verb_agrees_with_the_slow_version(frames, average, reject, exclude):
    before = frames.copy(deep=True)
    averaging = partial(average_of, average=average)
    stack = aw.stack(frames, average, reject=reject, exclude=exclude, rejected=True, **F8)
    bits = int(aw.as_flag(exclude))
    for c, y, x in np.ndindex(2, 5, 7):
        values, mask, variance = (
            frames[name].values[:, c, y, x].astype("f8") for name in ("image", "mask", "variance")
        )
        kept = np.isfinite(values) & ((mask.astype(int) & bits) == 0)
        kept, low, high = survivors(reject, values, kept, variance, averaging)
        here = stack.isel(channel=c, y=y, x=x)
        assert (int(here["count"]), int(here["rejected_low"])) == (kept.sum(), low)
        assert int(here["rejected_high"]) == high
        expected = average_of(values[kept], average) if kept.any() else np.nan
        np.testing.assert_allclose(here["image"], expected, rtol=1e-13)
    assert_frames_equal(frames, before)


@given(
    values=arrays("f4", (7, 1, 1, 5), elements=st.floats(0, 1000, width=32)),
    low=st.integers(0, 3),
    high=st.integers(0, 3),
)
def test_what_is_left_of_extremes_is_the_middle_of_the_sorted_values(values, low, high):
    if low + high == 0:
        high = 1
    ds = aw.stack(frame_set(values), "mean", reject=MinMax(low, high), rejected=True, **F8)
    middle = np.sort(values.astype("f8"), axis=0)[low : 7 - high]
    np.testing.assert_allclose(ds["image"], middle.mean(axis=0), rtol=1e-12)
    for name, number in (("count", 7 - low - high), ("rejected_low", low), ("rejected_high", high)):
        assert (ds[name].values == number).all()


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("average", ["mean", "median"])
def test_raw_frames_of_any_type_lose_their_extremes(dtype, average):
    frames = frame_set(np.array([5, 9, 100, 7, 9], dtype).reshape(5, 1, 1, 1))
    ds = aw.stack(frames, average, reject=MinMax(), **F8)
    assert one(ds) == {"mean": pytest.approx(25 / 3), "median": 9.0}[average]
    assert one(aw.stack(frames, average, reject=Percentile(), **F8), "count") == 2


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("number", "reject"), [(2, MinMax()), (1, MinMax(0, 1)), (4, MinMax(3, 2))]
)
def test_more_frames_are_needed_than_extremes(number, reject):
    message = rf"leaves nothing of {number} frames; stack at least {reject.low + reject.high + 1}"
    with pytest.raises(aw.ImageMismatchError, match=message):
        aw.stack(column(*np.arange(float(number))), reject=reject)


def test_noise_must_be_known_to_reject_by_it():
    with pytest.raises(aw.ImageMismatchError, match=r"NoiseClip needs the variance .* calibrate"):
        aw.stack(column(1.0, 2.0, 3.0), reject=NoiseClip(5))


@pytest.mark.parametrize("wrong", ["sigma", 5, (1, 1), MinMax])
def test_what_is_no_rejection_is_refused(wrong):
    names = (
        "SigmaClip, WinsorizedSigmaClip, LinearFitClip, GeneralizedESD, MinMax, Percentile or "
        "NoiseClip"
    )
    with pytest.raises(ValueError, match=f"reject is None, {names}, or has a method keep"):
        aw.stack(column(1.0, 2.0, 3.0), reject=wrong)


def test_few_frames_do_not_warn_where_the_threshold_is_in_reach():
    frames = column(1.0, 2.0, variance=[1.0, 1.0])
    assert one(aw.stack(frames, reject=NoiseClip(50)), "count") == 2
    assert one(aw.stack(frames, reject=Percentile(5, 5)), "count") == 2


# ---------------------------------------------------------------------- numbers of rejected values


def test_rejected_values_are_distinguished_by_their_side_and_from_those_left_out():
    frames = column(-50.0, 10.0, 11.0, 12.0, 13.0, 99.0, 98.0, mask=[0, 0, 0, 0, 0, 0, Flag.COSMIC])
    ds = aw.stack(frames, reject=SigmaClip(5, scale="mad"), rejected=True)
    assert [one(ds, name) for name in ("rejected_low", "count", "rejected_high")] == [1, 4, 1]
    for name in ("rejected_low", "rejected_high"):
        assert ds[name].dtype == np.uint16
        assert ds[name].dims == ("channel", "y", "x")
        assert "rejected" in ds[name].attrs["long_name"]
    schema.check(ds, master=True)
    plain = aw.stack(frames, "mean", rejected=True)
    assert (one(plain, "rejected_low"), one(plain, "rejected_high")) == (0, 0)
    assert "rejected_low" not in aw.stack(frames)


def test_rejected_numbers_are_whole():
    ds = aw.stack(column(1.0, 2.0, 3.0), rejected=True)
    with pytest.raises(aw.SchemaError, match="'rejected_low' has the type float64, expected whole"):
        schema.check(ds.assign(rejected_low=ds["rejected_low"].astype("f8")), master=True)


def test_rejected_numbers_come_back_from_zarr_and_go_through_verbs(tmp_path, frames):
    ds = aw.stack(frames, reject=MinMax(), rejected=True)
    stored = aw.to_zarr(ds, tmp_path / "s.zarr")
    assert stored["rejected_high"].attrs == ds["rejected_high"].attrs
    for name in ds.data_vars:
        assert stored[name].dtype == ds[name].dtype
        np.testing.assert_array_equal(stored[name], ds[name])


# ---------------------------------------------------------------------- promises


@pytest.mark.parametrize("reject", REJECTIONS)
@pytest.mark.parametrize("chunks", [{"frame": 1}, {"y": 2, "x": 3}, {"channel": 1, "frame": 2}])
def test_chunks_change_no_bit(frames, reject, chunks):
    with no_compute():
        found = aw.stack(lazy(frames, **chunks), "mean", reject=reject, rejected=True)
    assert all(found[name].chunks for name in found.data_vars)
    assert_frames_equal(found.compute(), aw.stack(frames, "mean", reject=reject, rejected=True))


def test_the_history_echoes_each_rejection():
    frames = column(1.0, 2.0, 6.0, variance=[1.0] * 3)
    for reject, fields in {
        MinMax(0, 1): {"type": "MinMax", "low": 0, "high": 1},
        Percentile(): {"type": "Percentile", "low": 0.2, "high": 0.1},
        NoiseClip(3): {"type": "NoiseClip", "threshold": 3, "max_iter": None},
    }.items():
        options = aw.stack(frames, reject=reject, rejected=True).autowisp.history()[-1]["options"]
        assert (options["reject"], options["rejected"]) == (fields, True)


def test_keywords_lose_their_extremes_but_have_no_noise():
    frames = with_headers(*(cards(AIRMASS=value) for value in (1.0, 1.1, 1.3, 99.0)))
    keyword = {"average_keywords": ["AIRMASS"]}

    def airmass(**options):
        from autowisp_xr.headers.cards import parse_header

        header = str(aw.stack(frames, "mean", **options, **keyword)["header"].values)
        return parse_header(header)["AIRMASS"]

    assert airmass(reject=MinMax()) == pytest.approx(1.2)
    frames = frames.assign(variance=frames["image"] * 0 + 1e6)
    assert airmass(reject=NoiseClip(1)) == pytest.approx(25.6)


def test_masters_take_every_rejection():
    rng = np.random.default_rng(2)
    raw = frame_set(rng.normal(1000, 5, (6, 1, 4, 5)), kind="bias")
    bias = aw.master_bias(raw, average="mean", reject=MinMax(), rejected=True)
    assert (bias["count"].values == 4).all()
    assert "rejected_low" in bias
    with pytest.raises(aw.ImageMismatchError, match="NoiseClip needs the variance"):
        aw.master_bias(raw, reject=NoiseClip(5))
    camera = aw.Camera(gain=1.0, read_noise=5.0)
    known = aw.master_bias(raw, camera=camera, reject=NoiseClip(5))
    assert (known["count"].values == 6).all()
    darks = frame_set(rng.normal(1100, 5, (6, 1, 4, 5)), kind="dark")
    dark = aw.master_dark(darks, bias=bias, reject=Percentile(), average="mean")
    assert dark["shared_variance"].dims == ("channel", "y", "x")
    flats = frame_set(rng.normal(20000, 100, (6, 1, 4, 5)), kind="flat", camera=camera)
    flat = aw.master_flat(flats, bias=bias, reject=MinMax(), average="mean", rejected=True).high
    assert (flat["count"].values == 4).all()
    assert float(flat["image"].mean()) == pytest.approx(1.0, rel=0.01)
    frame = frame_set(np.full((1, 1, 4, 5), 3000.0), camera=camera)
    calibrated = aw.calibrate(frame, bias=bias, dark=dark, flat=flat)
    assert np.isfinite(calibrated["variance"].values).all()
    assert "rejected_low" not in calibrated
