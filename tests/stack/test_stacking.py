"""``stack``: what of frames, their flags, noise and headers goes into one."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import AutowispWarning, Camera, Flag, MinMax, NoiseClip, SigmaClip, schema
from autowisp_xr.headers.cards import parse_header
from autowisp_xr.testing import assert_frames_equal
from tests.kernels.slow import slow_stack
from tests.steps.frames import TWO_CHANNELS, frame_set, master, text

F8 = {"dtype": "float64"}


def column(*values, **options):
    """Frames of one pixel."""
    shape = (len(values), 1, 1, 1)
    planes = {
        name: np.reshape(plane, shape) if name in ("variance", "mask") else plane
        for name, plane in options.items()
    }
    return frame_set(np.array(values).reshape(shape), **planes)


def one(ds, name="image"):
    return ds[name].values.item()


# ---------------------------------------------------------------------- by hand


def test_a_mean_by_hand():
    ds = aw.stack(column(1.0, 2.0, 6.0), "mean", **F8)
    assert one(ds) == 3.0
    assert one(ds, "variance") == pytest.approx((4 + 1 + 9) / (3 * 2), rel=1e-15)
    assert one(ds, "count") == 3
    assert one(ds, "mask") == 0
    assert ds["count"].dtype == np.uint16


def test_a_median_by_hand():
    ds = aw.stack(column(1.0, 2.0, 6.0), **F8)
    assert one(ds) == 2.0
    # r(3), the variance of the median of three over that of their mean
    r = 1.3460
    assert one(ds, "variance") == pytest.approx((1 + 16) * r / (3 * (1 + r)), rel=1e-4)
    even = aw.stack(column(1.0, 2.0, 6.0, 9.0), **F8)
    assert one(even) == 4.0


def test_the_ratio_goes_from_one_to_half_pi():
    from autowisp_xr.stats.order_statistics import quantile_moments

    known = {2: 1.0, 3: 1.3460, 5: 1.4343, 7: 1.4731}
    for number, r in known.items():
        assert number * quantile_moments(0.5, number)[1] == pytest.approx(r, abs=2e-4)
    assert 1001 * quantile_moments(0.5, 1001)[1] == pytest.approx(np.pi / 2, rel=1e-3)


def test_a_quantile_by_hand():
    ds = aw.stack(column(0.0, 10.0, 20.0, 30.0, 50.0), 0.3, **F8)
    assert one(ds) == 12.0
    assert one(aw.stack(column(3.0, 1.0, 2.0), 0)) == 1.0
    assert one(aw.stack(column(3.0, 1.0, 2.0), 1.0)) == 3.0


def test_a_propagated_variance_by_hand():
    frames = column(1.0, 2.0, 6.0, variance=[4.0, 4.0, 4.0])
    assert one(aw.stack(frames, "mean", **F8), "variance") == pytest.approx(12 / 9, rel=1e-15)
    assert one(aw.stack(frames, **F8), "variance") == pytest.approx(1.3460 * 4 / 3, rel=1e-4)
    unequal = column(1.0, 2.0, 6.0, variance=[1.0, 4.0, 16.0])
    assert one(aw.stack(unequal, "mean", **F8), "variance") == pytest.approx(21 / 9, rel=1e-15)
    # of a value that is the truth and two that are not: in half the cases the nearer of those
    certain = column(1.0, 2.0, 6.0, variance=[0.0, 16.0, 16.0])
    half = 16 * (1 - 2 / np.pi) / 2
    assert one(aw.stack(certain, **F8), "variance") == pytest.approx(half, rel=1e-3)
    two = aw.stack(column(1.0, 2.0, variance=[1.0, 16.0]), **F8)
    assert one(two, "variance") == pytest.approx(17 / 4, rel=5e-3)


def test_exposures_that_give_of_unequal_noise_are_a_warning_where_nothing_gives_how_unequal():
    values, overruled = (1.0, 2.0, 6.0), {"allow_mismatch": "exposure"}
    exposures = [30.0, 60.0, 120.0]
    frames = column(*values, exposure=exposures)
    with pytest.warns(AutowispWarning, match=r"from 30 s \(object-0\) to 120 s \(object-2\)"):
        aw.stack(frames, **overruled)
    aw.stack(frames, "mean", **overruled)
    aw.stack(frames, error="standard_error", **overruled)
    aw.stack(column(*values, exposure=[60.0, 60.0, 90.0]), **overruled)
    aw.stack(column(*values, exposure=exposures, kind="flat"), **overruled)
    known = column(*values, exposure=exposures, variance=[1.0, 2.0, 4.0])
    for error in ("propagate", "scatter"):
        aw.stack(known, error=error, **overruled)


def test_rejection_by_hand():
    frames = column(10.0, 11.0, 12.0, 13.0, 100.0)
    ds = aw.stack(frames, "mean", reject=SigmaClip(1.5), **F8)
    assert (one(ds), one(ds, "count")) == (11.5, 4)
    assert one(ds, "variance") == pytest.approx(5 / (4 * 3))
    low = aw.stack(frames, "mean", reject=SigmaClip((9, -0.9), max_iter=1), **F8)
    assert one(low, "count") == 5
    none = aw.stack(frames, "mean", reject=SigmaClip(1.5, max_iter=0), **F8)
    assert (one(none), one(none, "count")) == (29.2, 5)


@pytest.mark.parametrize("average", ["median", "mean", 0.3])
@pytest.mark.parametrize(
    "clip", [SigmaClip(1.37), SigmaClip((1.23, -2.11), max_iter=1), SigmaClip(2.31, scale="mad")]
)
@pytest.mark.parametrize("exclude", ["BAD", "FAULT", "HOT,COSMIC", 0])
def test_the_verb_agrees_with_the_slow_version(frames, average, clip, exclude):
    options = {"error": "scatter", "allow_mismatch": "exposure", **F8}
    stack = aw.stack(frames, average, reject=clip, exclude=exclude, **options)
    bits = int(aw.as_flag(exclude))
    plus, minus = aw.options.upper_and_lower(clip.threshold)
    for c, y, x in np.ndindex(2, 5, 7):
        values, mask = frames["image"].values[:, c, y, x], frames["mask"].values[:, c, y, x]
        slow = slow_stack(
            values,
            average,
            plus=plus,
            minus=-minus,
            mad=clip.scale == "mad",
            max_iter=clip.max_iter,
            excluded=(mask & bits) != 0,
        )
        np.testing.assert_allclose(stack["image"].values[c, y, x], slow.average, rtol=1e-13)
        assert stack["count"].values[c, y, x] == slow.kept.sum()


# ---------------------------------------------------------------------- what is left out


def test_excluded_flags_are_left_out_and_others_inherited():
    frames = column(1.0, 2.0, 30.0, mask=[0, Flag.LEAKED, Flag.OVERSATURATED])
    default = aw.stack(frames, "mean")
    assert (one(default), one(default, "mask"), one(default, "count")) == (1.0, 48 | 1, 1)
    cores = aw.stack(frames, "mean", exclude="FAULT")
    assert (one(cores), one(cores, "mask"), one(cores, "count")) == (11.0, 48, 3)
    some = aw.stack(frames, "mean", exclude=["OVERSATURATED"])
    assert (one(some), one(some, "mask"), one(some, "count")) == (1.5, 48, 2)


def test_hot_and_nonlinear_pixels_count_and_hand_on_their_flags():
    frames = column(1.0, 2.0, 6.0, 30.0, mask=[0, Flag.HOT, Flag.NONLINEAR, Flag.COSMIC])
    default = aw.stack(frames, "mean")
    assert (one(default), one(default, "count")) == (3.0, 3)
    assert one(default, "mask") == Flag.HOT | Flag.NONLINEAR
    assert default.autowisp.history()[-1]["options"]["exclude"] == (
        "FAULT,COSMIC,OUTER,SATURATED,INTERPOLATED"
    )
    bad = aw.stack(frames, "mean", exclude="BAD")
    assert (one(bad), one(bad, "mask"), one(bad, "count")) == (3.5, Flag.NONLINEAR, 2)
    assert bad.autowisp.history()[-1]["options"]["exclude"] == "BAD"


def test_where_nothing_is_left_the_flags_of_all_inputs_stay():
    frames = column(
        1.0, 2.0, np.nan, mask=[Flag.OUTER, Flag.COSMIC, Flag.FAULT], variance=[1.0] * 3
    )
    for error in ("scatter", "propagate"):
        ds = aw.stack(frames, error=error)
        assert np.isnan(one(ds))
        assert np.isnan(one(ds, "variance"))
        assert one(ds, "mask") == Flag.OUTER | Flag.COSMIC | Flag.FAULT
        assert one(ds, "count") == 0


def test_a_pixel_with_too_few_values_is_a_fault():
    frames = column(1.0, 2.0, 3.0, mask=[0, 4, 0])
    assert one(aw.stack(frames, min_values=2), "mask") == 0
    few = aw.stack(frames, min_values=3)
    assert (one(few), one(few, "mask"), one(few, "count")) == (2.0, Flag.FAULT, 2)


def test_too_few_frames_are_an_error():
    with pytest.raises(aw.ImageMismatchError, match="there are 3 frames to stack, min_frames is 4"):
        aw.stack(column(1.0, 2.0, 3.0), min_frames=4)
    assert one(aw.stack(column(1.0, 2.0, 3.0), min_frames=3)) == 2.0


def test_one_frame_is_its_own_stack():
    frames = column(7.0, variance=[3.0], mask=[0])
    for average in ("mean", "median", 0.3):
        ds = aw.stack(frames, average, reject=SigmaClip(2))
        assert (one(ds), one(ds, "variance"), one(ds, "count")) == (7.0, 3.0, 1)
        assert one(ds, "mask") == 0
    with pytest.warns(aw.AutowispWarning, match=r"one frame \(object-0\) has no scatter"):
        scatter = aw.stack(frames, error="scatter")
    assert one(scatter) == 7.0
    assert np.isnan(one(scatter, "variance"))
    assert one(scatter, "mask") == Flag.FAULT


AVERAGES = [
    {},
    {"average": "mean"},
    {"average": 0.4},
    {"average": "mean", "weights": np.arange(1.0, 7)},
    {"average": "mean", "reject": SigmaClip(5, scale="mad")},
    {"reject": MinMax()},
    {"reject": NoiseClip(5)},
    {"error": "scatter"},
    {"error": "standard_error"},
]


@pytest.mark.parametrize("options", AVERAGES, ids=str)
@pytest.mark.parametrize("flag", [Flag.OVERSATURATED, Flag.LEAKED, Flag.SATURATED], ids=int)
def test_a_pixel_that_saturates_in_some_frames_is_flagged_in_every_average(options, flag):
    """What is left is the lower half of them, whichever average is taken of it."""
    peak = [58000.0, 59000.0, 61000.0, 62000.0, 60500.0, 59500.0]
    high = [0, 0, flag, flag, flag, 0]
    frames = column(*peak, variance=[4e4] * 6, mask=high)
    stack = aw.stack(frames, **options)
    assert one(stack, "mask") == flag
    assert one(stack, "count") == (1 if options.get("reject") == MinMax() else 3)
    lazy = aw.stack(frames.chunk(frame=2), **options)
    assert one(lazy, "mask") == flag
    clean = aw.stack(column(*peak, variance=[4e4] * 6, mask=[0, 0, 4, 4, 8, 0]), **options)
    assert one(clean, "mask") == 0


def test_saturated_values_that_are_kept_and_rejected_are_reported_as_well():
    values = np.tile([9.0, 11.0], 5)
    frames = column(*values, 900.0, mask=[0] * 10 + [Flag.OVERSATURATED])
    stack = aw.stack(frames, "mean", exclude="FAULT", reject=SigmaClip(3))
    assert (one(stack, "count"), one(stack, "mask")) == (10, Flag.OVERSATURATED)


@pytest.mark.parametrize("unknown", [np.nan, np.inf, -1.0, -np.inf])
def test_a_variance_that_is_not_known_of_one_frame_flags_the_pixel(unknown):
    stack = aw.stack(column(1.0, 2.0, 3.0, variance=[1.0, unknown, 1.0]), "mean")
    assert (one(stack), one(stack, "mask")) == (2.0, Flag.FAULT)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "f4", "f8"])
def test_raw_frames_of_any_type_are_stacked_as_they_are(dtype):
    frames = frame_set(np.array([[5], [9], [100]], dtype).reshape(3, 1, 1, 1))
    ds = aw.stack(frames)
    assert (one(ds), ds["image"].dtype) == (9.0, np.float32)
    assert one(aw.stack(frames, "mean", **F8)) == 38.0
    assert aw.stack(frames, **F8)["variance"].dtype == np.float64


# ---------------------------------------------------------------------- errors and warnings


def test_frames_of_several_types_do_not_go_into_one_stack():
    frames = column(1.0, 2.0).assign_coords(image_type=("frame", text("bias", "flat")))
    with pytest.raises(aw.ImageMismatchError, match=r"types bias, flat cannot .*where_type"):
        aw.stack(frames)


def test_there_must_be_a_variance_to_propagate():
    with pytest.raises(aw.ImageMismatchError, match=r"no variance to propagate.*error='scatter'"):
        aw.stack(column(1.0, 2.0), error="propagate")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"average": "median "}, "average is 'median', 'mean' or a quantile from 0 to 1"),
        ({"average": 1.5}, "quantile from 0 to 1, not 1.5"),
        ({"average": True}, "quantile from 0 to 1, not True"),
        ({"average": -0.1}, "quantile"),
        ({"error": "both"}, "error is one of auto, scatter, propagate, standard_error, not 'both'"),
        ({"exclude": "WARM"}, "'WARM' is not a flag"),
        ({"exclude": 256}, "256 is not a combination of flags"),
        ({"exclude": None}, "None is not a combination of flags"),
        ({"min_values": "2"}, "min_values is a whole number from 0 on, not '2'"),
        ({"min_frames": 1.5}, "min_frames is a whole number from 0 on, not 1.5"),
        ({"dtype": "int"}, "dtype is 'float32' or 'float64', not 'int'"),
        ({"dtype": ">f4"}, "dtype is 'float32' or 'float64', not '>f4'"),
    ],
)
def test_a_misspelt_option_becomes_no_default(options, message):
    with pytest.raises(ValueError, match=message):
        aw.stack(column(1.0, 2.0), **options)


@pytest.mark.parametrize("average", [np.float32(0.5), np.float64(0.5)])
def test_a_quantile_may_be_a_number_of_numpy(average):
    assert one(aw.stack(column(0.0, 1.0, 2.0), average)) == 1.0


def test_auto_propagates_where_there_is_a_variance():
    with_variance = column(1.0, 2.0, 6.0, variance=[9.0, 9.0, 9.0])
    auto = aw.stack(with_variance)
    assert_frames_equal(auto, aw.stack(with_variance, error="propagate"))
    without = with_variance.drop_vars("variance")
    scatter = aw.stack(with_variance, error="scatter")
    assert_frames_equal(aw.stack(without), scatter)
    assert one(auto, "variance") != one(scatter, "variance")


@pytest.mark.parametrize(
    ("average", "number", "threshold", "reach"),
    [("median", 9, 3.0, "3.00"), ("mean", 10, 3.0, "3.00"), ("median", 4, (5, -2.5), "2.00")],
)
def test_a_threshold_that_nothing_can_reach_warns_and_states_which_can(
    average, number, threshold, reach
):
    frames = column(*np.r_[np.zeros(number - 1), 1000.0])
    with pytest.warns(AutowispWarning, match=f"among {number} .*a threshold below {reach} can"):
        ds = aw.stack(frames, average, reject=SigmaClip(threshold))
    assert one(ds, "count") == number


@pytest.mark.parametrize(
    ("average", "number", "threshold"), [("median", 9, 2.99), ("mean", 10, 2.99)]
)
def test_a_threshold_just_in_reach_rejects_a_lone_outlier(average, number, threshold):
    frames = column(*np.r_[np.zeros(number - 1), 1000.0])
    ds = aw.stack(frames, average, reject=SigmaClip(threshold))
    assert one(ds, "count") == number - 1


def test_the_mad_and_no_rounds_do_not_warn():
    frames = column(1.0, 2.0, 3.0)
    aw.stack(frames, reject=SigmaClip(5, scale="mad"))
    aw.stack(frames, reject=SigmaClip(5, max_iter=0))
    aw.stack(frames, reject=SigmaClip((1.5, -9)))


# ---------------------------------------------------------------------- shared variance


def calibrated(number=4, **options):
    rng = np.random.default_rng(1)
    shape = (number, 1, 2, 3)
    frames = frame_set(rng.normal(100, 5, shape), variance=rng.uniform(20, 30, shape), **options)
    bias = master(np.zeros((2, 3)), np.full((2, 3), 3.0))
    flat = master(np.full((2, 3), 0.5), np.full((2, 3), 0.001), units="1")
    return aw.divide_flat(aw.subtract_bias(frames, bias, **F8), flat, **F8)


@pytest.mark.parametrize("average", ["mean", "median", 0.3])
def test_only_what_is_a_frames_own_averages_down(average):
    ds = calibrated()
    shared = ds["shared_variance"].values
    relative = ds["shared_relative_variance"].values
    np.testing.assert_allclose(shared, 12.0)
    np.testing.assert_allclose(relative, 0.004)
    stack = aw.stack(ds, average, **F8)
    image = ds["image"].values
    bare = ds.drop_vars(["shared_variance", "shared_relative_variance"])
    bare = bare.assign(variance=ds["variance"] - 12.0 - image**2 * 0.004)
    expected = aw.stack(bare, average, **F8)
    total = expected["variance"] + 12.0 + expected["image"] ** 2 * 0.004
    np.testing.assert_allclose(stack["variance"], total, rtol=1e-12)
    np.testing.assert_array_equal(stack["shared_variance"], ds["shared_variance"])
    np.testing.assert_array_equal(stack["shared_relative_variance"], relative)


def test_from_the_scatter_the_shared_part_is_added():
    ds = calibrated()
    stack = aw.stack(ds, "mean", error="scatter", **F8)
    image = ds["image"].values
    own = ((image - image.mean(axis=0)) ** 2).sum(axis=0) / 12
    np.testing.assert_allclose(
        stack["variance"], own + 12.0 + image.mean(axis=0) ** 2 * 0.004, rtol=1e-12
    )


def test_amplitudes_of_shared_variances_of_their_own_add():
    frames = frame_set(np.full((3, 1, 1, 1), 100.0), variance=[[[2.0]]], exposure=[30.0, 60.0, 90])
    dark = master([10.0], [4.0])
    ds = aw.subtract_dark(frames, dark, scale_dark="any", **F8)
    assert ds["shared_variance"].values.ravel().tolist() == [1.0, 4.0, 9.0]
    stack = aw.stack(ds, "mean", **F8)
    assert one(stack, "shared_variance") == pytest.approx(4.0, rel=1e-14)
    assert one(stack, "variance") == pytest.approx(2 / 3 + 4.0, rel=1e-14)
    assert stack["shared_variance"].dims == ("channel", "y", "x")


# ---------------------------------------------------------------------- coordinates and header


def with_headers(*headers):
    values = np.arange(float(len(headers)))
    ds = column(*values)
    return ds.assign_coords(header=("frame", text(*headers)))


def cards(**values):
    from astropy.io import fits

    from autowisp_xr.headers.cards import render_header

    return render_header(fits.Header(values))


def test_the_header_keeps_the_cards_that_all_share():
    ds = aw.stack(
        with_headers(
            cards(OBSERVER="H", EXPTIME=60.0, AIRMASS=1.0, ONLY=1),
            cards(OBSERVER="H", EXPTIME=60.0),
        )
    )
    header = parse_header(str(ds["header"].values))
    assert header["OBSERVER"] == "H"
    assert header["EXPTIME"] == 60.0
    assert header["NUMFCOMB"] == 2
    assert "AIRMASS" not in header
    assert "ONLY" not in header


@pytest.mark.parametrize(("average", "expected"), [("mean", 3.0), ("median", 2.0)])
def test_keywords_are_averaged_in_the_same_way(average, expected):
    frames = with_headers(*(cards(AIRMASS=value, SAME=7) for value in (1.0, 2.0, 6.0)))
    ds = aw.stack(frames, average, average_keywords=["AIRMASS", "SAME"])
    header = parse_header(str(ds["header"].values))
    assert header["AIRMASS"] == expected
    assert header["SAME"] == 7


def test_outliers_among_keywords_are_rejected_too():
    values = [1.0, 1.1, 1.2, 1.3, 99.0]
    frames = with_headers(*(cards(AIRMASS=value) for value in values))
    ds = aw.stack(frames, "mean", reject=SigmaClip(1.5), average_keywords=["AIRMASS"])
    assert parse_header(str(ds["header"].values))["AIRMASS"] == pytest.approx(1.15)


@pytest.mark.parametrize("other", [cards(AIRMASS="high"), cards(OTHER=1.0)])
def test_a_keyword_that_is_no_number_cannot_be_averaged(other):
    with pytest.raises(aw.HeaderError, match=r"AIRMASS cannot be averaged.*\['object-1'\]"):
        aw.stack(with_headers(cards(AIRMASS=1.0), other), average_keywords=["AIRMASS"])


def test_coordinates_that_frames_share_stay_and_numbers_are_averaged():
    times = np.array(["2024-03-01T00:00", "2024-03-01T00:10", "NaT"], "datetime64[ns]")
    ds = column(1.0, 2.0, 3.0, exposure=[36.0, 54.0, np.nan]).assign_coords(
        time=("frame", times),
        object=("frame", text("M42", "M42", "M42")),
        filter=("frame", text("V", "V", "R")),
        temperature=("frame", [-10.0, -10.0, -10.0]),
        path=("frame", text("a", "b", "c")),
    )
    stack = aw.stack(ds, allow_mismatch=["exposure", "filter"])
    assert stack["time"].values == np.datetime64("2024-03-01T00:05", "ns")
    assert float(stack["exposure"]) == 45.0
    assert str(stack["object"].values) == "M42"
    assert str(stack["filter"].values) == ""
    assert float(stack["temperature"]) == -10.0
    assert "path" not in stack.coords
    assert "frame" not in stack.coords


def test_a_number_that_all_share_is_not_rounded():
    ds = column(*np.arange(7.0), exposure=0.1)
    assert float(aw.stack(ds)["exposure"]) == 0.1


def test_the_history_states_how():
    frames = column(1.0, 2.0, 6.0)
    clip = SigmaClip((1.5, -1.4), scale="mad", max_iter=3)
    record = aw.stack(frames, "mean", reject=clip, exclude="HOT").autowisp.history()[-1]
    assert record["verb"] == "stack"
    assert record["options"]["average"] == "mean"
    assert record["options"]["reject"] == {
        "type": "SigmaClip",
        "threshold": [1.5, -1.4],
        "scale": "mad",
        "max_iter": 3,
        "about": "average",
        "floor": "step",
    }
    assert record["options"]["exclude"] == "HOT"
    assert record["options"]["error"] == "scatter"
    assert list(record["frames"]) == ["object-0", "object-1", "object-2"]


def test_channels_are_stacked_each_for_itself():
    image = np.arange(3 * 2 * 2 * 3, dtype="f4").reshape(3, 2, 2, 3) ** 1.5
    ds = aw.stack(frame_set(image, camera=Camera(channels=TWO_CHANNELS)), "mean", **F8)
    np.testing.assert_allclose(ds["image"], image.astype("f8").mean(axis=0), rtol=1e-14)
    assert schema.names(ds, "channel") == ["A", "B"]
    assert ds["x"].values.tolist() == [0, 2, 4]


def test_a_median_of_unequal_noise_is_the_same_in_any_chunks(rng):
    shape = (5, 1, 6, 40)
    variance = rng.uniform(1, 9, shape).astype("f4")
    ds = frame_set(rng.normal(100, 2, shape).astype("f4"), variance=variance)
    for error in ("propagate", "scatter"):
        whole = aw.stack(ds, error=error)
        lazy = aw.stack(ds.chunk(frame=2, y=4, x=7), error=error)
        assert lazy.chunks
        assert_frames_equal(lazy.compute(), whole)
