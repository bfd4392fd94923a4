"""``compare_masters`` of masters with a known truth and true variances."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autowisp_xr as aw
from autowisp_xr import AutowispWarning
from autowisp_xr.measure import compare_masters
from autowisp_xr.measure.master_differences import scatter
from tests.monte_carlo.night import Sensor
from tests.steps.frames import frame_set, master

SIDE = 512
NAMES = ("number", "fraction", "scatter", "newly_flagged", "no_longer_flagged")


def one(result, name):
    return result[name].values.item()


def flat(rng, response, relative_error, level=1.0):
    sigma = level * relative_error
    image = level * response + rng.normal(0, 1, response.shape) * sigma
    return master(image.astype("f4"), (sigma**2).astype("f4"), np.zeros(response.shape), units="1")


@pytest.fixture
def sky():
    """A response with vignetting, an error that differs between pixels, and the dice."""
    rng = np.random.default_rng(30)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    response = (1 - 0.2 * (x**2 + y**2)) * rng.normal(1, 0.02, (SIDE, SIDE))
    return rng, response, rng.uniform(0.003, 0.009, (SIDE, SIDE))


def test_flats_of_one_truth_differ_as_their_errors_state(sky):
    rng, response, error = sky
    new, old = flat(rng, response, error), flat(rng, response, error, level=1.7)
    result = compare_masters(new, old)
    assert one(result, "scatter") == pytest.approx(1, abs=0.01)
    assert one(result, "ratio") == pytest.approx(1 / 1.7, rel=1e-4)
    assert abs(one(result, "median_difference")) < 5e-5
    assert one(result, "largest_large_scale") < 0.0015
    for threshold in (1.0, 2.0, 3.0):
        found = one(compare_masters(new, old, threshold=threshold), "fraction")
        chance = math.erfc(threshold / math.sqrt(2))
        assert abs(found - chance) < 4 * math.sqrt(chance / SIDE**2)


def test_errors_that_are_too_small_are_seen_in_the_scatter(sky):
    rng, response, error = sky
    new, old = flat(rng, response, error), flat(rng, response, error)
    pair = [ds.assign(variance=ds["variance"] / 9) for ds in (new, old)]
    words = r"channel 'mono': 9\.\d* % .*scatter 3(\.0\d)? times the unc"
    with pytest.warns(AutowispWarning, match=words):
        result = compare_masters(*pair)
    assert one(result, "scatter") == pytest.approx(3, abs=0.03)
    assert one(result, "fraction") == pytest.approx(math.erfc(5 / 3 / math.sqrt(2)), rel=0.05)


def test_a_spot_of_dust_is_reported_and_found(sky):
    rng, response, error = sky
    old = flat(rng, response, error)
    y, x = np.mgrid[:SIDE, :SIDE]
    dusty = np.where((y - 200) ** 2 + (x - 340) ** 2 < 24**2, 0.95 * response, response)
    with pytest.warns(AutowispWarning, match="channel 'mono'") as caught:
        result = compare_masters(flat(rng, dusty, error), old)
    pixels, cell = (str(warning.message) for warning in caught)
    assert "% of 262144 pixels differ" in pixels
    assert "% lower than the old one" in cell
    assert cell.endswith("look at new.image / old.image")
    assert 0.03 < one(result, "largest_large_scale") < 0.052
    assert abs(one(result, "large_scale_y") - 200) <= 24
    assert abs(one(result, "large_scale_x") - 340) <= 24
    # pixels of the spot, 5 % in errors of about 0.85 %
    spot = math.pi * 24**2 / SIDE**2
    assert 0.1 * spot < one(result, "fraction") - 6e-7 < spot
    assert one(result, "scatter") == pytest.approx(1, abs=0.03)


def test_vignetting_that_moved_is_reported_though_no_pixel_shows_it(sky):
    rng, response, error = sky
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    with pytest.warns(
        AutowispWarning, match=r"(1\.9|2\.)\d* % (lower|higher) .* 1 % may be beside"
    ):
        result = compare_masters(
            flat(rng, response * (1 - 0.02 * (x + y) / 2 - 0.005), error),
            flat(rng, response * (1 + 0.0 * x), error),
            most=0.01,
        )
    assert one(result, "fraction") < 0.001


def test_the_noise_of_cells_alone_does_not_warn():
    """Few electrons: cells scatter by 3 %, the largest of them by more than a tenth."""
    rng = np.random.default_rng(31)
    response = np.ones((SIDE, SIDE))
    result = compare_masters(*(flat(rng, response, 0.7 * response) for _ in range(2)))
    assert one(result, "largest_large_scale") > 0.05
    assert one(result, "scatter") == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("average", ["mean", "median"])
def test_bias_masters_of_one_sensor_agree(average):
    """Medians of whole numbers are whole or half numbers: quantiles must not snap to them."""
    sensor = Sensor(33)
    new, old = (
        aw.master_bias(sensor.frames(number, kind="bias"), average=average) for number in (16, 9)
    )
    result = compare_masters(new, old)
    assert one(result, "scatter") == pytest.approx(1, abs=0.02)
    assert one(result, "fraction") < 5e-5
    assert abs(one(result, "median_difference")) < 0.05
    assert one(result, "largest_large_scale") < 0.5


def test_what_masters_share_makes_them_differ_by_less():
    sensor = Sensor(34)
    frames = sensor.frames(16, kind="bias")
    new, old = (aw.master_bias(frames.isel(frame=part), average="mean") for part in
                (slice(0, 12), slice(4, 16)))  # fmt: skip
    assert one(compare_masters(new, old), "scatter") < 0.7


@pytest.mark.parametrize(
    ("number", "fraction", "scatter"), [(3, 0.0076, 1.33), (5, 0.0011, 1.15), (10, 1e-4, 1.06)]
)
def test_errors_from_the_scatter_of_few_frames_are_as_uncertain_as_documented(
    number, fraction, scatter
):
    rng = np.random.default_rng(35)
    new, old = (
        aw.stack(frame_set(rng.normal(0, 3, (number, 1, 500, 500)).astype("f4")), "mean")
        for _ in range(2)
    )
    result = compare_masters(new, old, most=0.01)
    assert one(result, "fraction") == pytest.approx(fraction, rel=0.05, abs=4e-5)
    assert one(result, "scatter") == pytest.approx(scatter, abs=0.01)


def test_masters_of_a_simulated_night_agree():
    night = aw.simulate.Night(shape=(256, 256), seed=5)
    bias = aw.master_bias(night.bias(20))
    flats = night.flat(20)
    new, old = (
        aw.master_flat(flats.isel(frame=part), bias=bias, scale_dark="any").high
        for part in (slice(10), slice(10, 20))
    )
    result = compare_masters(new, old)
    assert one(result, "scatter") == pytest.approx(1, abs=0.03)
    assert one(result, "ratio") == pytest.approx(1, abs=1e-3)


# ---------------------------------------------------------------------- properties


@st.composite
def pairs(draw):
    """Two masters of one shape, whole numbers with errors that are powers of two, some flagged."""
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))
    masters = []
    for _ in range(2):
        image = draw(hnp.arrays("f4", shape, elements=st.integers(-200, 200) | st.just(np.nan)))
        sigma = draw(hnp.arrays("f4", shape, elements=st.sampled_from([0.5, 1.0, 4.0, 16.0])))
        mask = draw(hnp.arrays("u1", shape, elements=st.sampled_from([0, 0, 0, 1, 34])))
        masters.append(master(image, sigma**2, mask))
    return masters


def quiet(new, old, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AutowispWarning)
        return compare_masters(new, old, **options)


def test_a_lone_difference_at_the_limit_counts_from_either_side():
    variance, mask = np.full((1, 26), 0.25, "f4"), np.zeros((1, 26), "u1")
    new, old = (master(np.eye(1, 26, dtype="f4") * value, variance, mask) for value in (1, 0))
    found = [quiet(*pair, rescale=False)["scatter"].item() for pair in ((new, old), (old, new))]
    assert found[0] > 0
    assert found[0] == pytest.approx(found[1])


@settings(max_examples=40, deadline=None)
@given(pairs(), st.floats(0.1, 20))
def test_which_is_the_new_one_does_not_matter(pair, threshold):
    new, old = pair
    there = quiet(new, old, threshold=threshold, rescale=False)
    back = quiet(old, new, threshold=threshold, rescale=False)
    for name in ("number", "fraction", "largest_large_scale"):
        np.testing.assert_array_equal(there[name], back[name])
    np.testing.assert_array_equal(there["newly_flagged"], back["no_longer_flagged"])
    np.testing.assert_allclose(there["median_difference"], -back["median_difference"], atol=1e-9)
    np.testing.assert_allclose(there["scatter"], back["scatter"], rtol=1e-9)


@settings(max_examples=40, deadline=None)
@given(pairs(), st.floats(0.1, 20), st.sampled_from([0.25, 2.0, 1024.0]))
def test_what_is_scaled_in_both_agrees_as_much(pair, threshold, factor):
    """By powers of two, so that rounding is the same."""
    scaled = [
        ds.assign(image=ds["image"] * factor, variance=ds["variance"] * factor**2) for ds in pair
    ]
    one_way = quiet(*pair, threshold=threshold)
    other = quiet(*scaled, threshold=threshold)
    for name in NAMES:
        np.testing.assert_array_equal(one_way[name], other[name])
    for name in ("median_difference", "largest_large_scale"):
        np.testing.assert_allclose(other[name], factor * one_way[name], rtol=1e-12)


FLOATS = st.floats(-(2.0**100), 2.0**100, width=32)


@settings(max_examples=60, deadline=None)
@given(st.lists(FLOATS, min_size=2, max_size=24))
def test_the_scatter_is_never_more_than_that_of_all(values):
    assert scatter(np.array(values)) <= (1 + 1e-9) * np.std(values) + 1e-37


def test_outliers_do_not_count_in_the_scatter():
    rng = np.random.default_rng(37)
    values = rng.normal(0.4, 1.0, 200_000)
    assert scatter(values.copy()) == pytest.approx(1, abs=0.006)
    values[:2000] += 1e4
    values[2000:4000] = np.inf
    values[4000:5000] = -np.inf
    assert scatter(values) == pytest.approx(1, abs=0.006)


@pytest.mark.parametrize("step", [0.5, 1.0, 2.0, 4.0])
def test_whole_numbers_have_the_scatter_they_have(step):
    """At a step of four standard deviations, nearly all of them are equal."""
    values = step * np.rint(np.random.default_rng(38).normal(0.1, 1, 200_000) / step)
    assert scatter(values) == pytest.approx(values.std(), rel=1e-5)


def test_where_most_differences_have_no_error_the_scatter_is_infinite():
    assert scatter(np.array([3.0, np.inf, np.inf])) == np.inf
