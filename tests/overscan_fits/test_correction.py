"""The level of plain frames: by hand, by plain NumPy, and by what must always hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import LSQUnivariateSpline

from autowisp_xr import CalibrationError, Camera, ConvergenceError, OutsideImageError, Overscan
from autowisp_xr.overscan_fits import overscan_correction
from autowisp_xr.regions import Region
from autowisp_xr.stats.order_statistics import quantile_moments


def area(xmin, xmax, ymin, ymax):
    return Region(xmin=xmin, xmax=xmax, ymin=ymin, ymax=ymax)


def few(**options):
    return Overscan(**{"min_pixels": 1, **options})


@pytest.fixture
def rng():
    return np.random.default_rng(8)


@pytest.fixture
def raw(rng):
    return rng.normal(1000, 5, (30, 40))


STRIP = area(0, 8, 0, 30)
BELOW = area(8, 40, 24, 30)
IMAGE = area(8, 40, 0, 24)


# ---------------------------------------------------------------------- by hand


def test_a_frame_has_one_level():
    found = overscan_correction(np.array([[3.0, 1, 8, 2, 50]]), area(0, 4, 0, 1), few())
    assert (found.correction, found.correction.shape, found.variance.shape) == (2.5, (), ())
    # about the median 0.25 + 2.25 + 30.25 + 0.25, over 3: s^2, and over 4
    assert found.mean_variance == 33 / 12
    ratio = 4 * quantile_moments(0.5, 4)[1]
    assert found.variance == pytest.approx(33 / (2 + ratio) * ratio / 4, rel=1e-12)
    assert (found.pixels, found.iterations, found.converged) == (4, 0, True)
    (level,) = found.levels
    assert (level.number, level.amplifier, level.scatter) == (0, 0, 11.0)


def test_a_mean_has_the_variance_of_a_mean():
    found = overscan_correction(
        np.array([[3.0, 1, 8, 4, 50]]), area(0, 4, 0, 1), few(average="mean")
    )
    assert found.correction == 4.0
    assert found.variance == found.mean_variance == (1 + 9 + 16) / 3 / 4


def test_a_row_and_a_column_have_levels_of_their_own():
    raw = np.array([[1.0, 3, 9, 9], [4, 8, 9, 9]])
    rows = overscan_correction(raw, area(0, 2, 0, 2), few(per="row", average="mean"))
    assert rows.correction.tolist() == [[2.0], [6.0]]
    # 1 + 1 + 4 + 4, over 4 pixels less 2 levels; two pixels a row
    assert rows.variance.tolist() == [[2.5], [2.5]]
    columns = overscan_correction(raw.T, area(0, 2, 0, 2), few(per="column", average="mean"))
    assert columns.correction.tolist() == [[2.0, 6.0]]


def test_outliers_are_rejected_until_there_are_none():
    pixels = np.r_[np.tile([9.0, 11.0], 50), 60.0, 1e4][None]
    found = overscan_correction(pixels, area(0, 102, 0, 1), Overscan())
    assert found.correction == 10.0
    assert (found.iterations, found.pixels, found.converged) == (2, 100, True)
    assert found.mean_variance == pytest.approx(100 / 99 / 100)


def test_the_level_after_the_last_rejection_is_that_of_the_survivors():
    pixels = np.r_[np.tile([9.0, 11.0], 50), 60.0, 1e4][None]
    where = area(0, 102, 0, 1)
    once = overscan_correction(pixels, where, Overscan(max_reject_iterations=1))
    assert (once.iterations, once.pixels, once.converged) == (1, 101, False)
    assert once.correction == 11.0
    never = overscan_correction(pixels, where, Overscan(max_reject_iterations=0))
    assert (never.iterations, never.pixels, never.converged) == (0, 102, False)
    strict = Overscan(max_reject_iterations=1, require_convergence=True)
    with pytest.raises(ConvergenceError, match=r"frame x: .* after 1 iterations"):
        overscan_correction(pixels, where, strict, name="frame x")


def test_pixels_are_rejected_by_their_distance_from_their_own_line(raw):
    raw = raw + 1000.0 * np.arange(30)[:, None]
    raw[7, 3] += 100
    for method in (few(per="row"), few(per="row", polynomial_terms=2, average="mean")):
        found = overscan_correction(raw, STRIP, method)
        assert (found.pixels, found.iterations) == (239, 1)
    assert overscan_correction(raw, STRIP, few()).pixels == 240


def test_what_is_not_finite_is_left_out():
    pixels = np.array([[np.nan, 1.0, np.inf, 3.0, -np.inf]])
    found = overscan_correction(pixels, area(0, 5, 0, 1), few())
    assert (found.correction, found.pixels) == (2.0, 2)


def test_equal_pixels_have_no_variance():
    raw = np.full((20, 20), 7, "u2")
    for method in (Overscan(), few(per="row"), few(per="column", spline_nodes=5)):
        found = overscan_correction(raw, area(0, 20, 0, 20), method)
        np.testing.assert_allclose(found.correction, 7.0, rtol=1e-13)
        np.testing.assert_allclose(found.variance, 0.0, atol=1e-20)
        assert found.converged


def test_a_line_that_lost_its_pixels_is_nan_or_taken_from_the_model(raw):
    raw[5, :8] = np.nan
    alone = overscan_correction(raw, STRIP, few(per="row"), image_area=IMAGE)
    lost = np.arange(24) == 5
    np.testing.assert_array_equal(np.isnan(alone.correction[:, 0]), lost)
    np.testing.assert_array_equal(np.isnan(alone.variance[:, 0]), lost)
    for model in ({"polynomial_terms": 3}, {"spline_nodes": 4}):
        found = overscan_correction(raw, STRIP, few(per="row", **model), image_area=IMAGE)
        assert np.isfinite(found.correction).all()
        assert np.isfinite(found.variance).all()


def test_the_shape_is_that_of_what_varies(raw):
    shapes = {
        (): few(),
        (24, 1): few(per="row"),
        (1, 32): few(per="column", areas=BELOW),
        (24, 32): [few(per="row"), few(per="column", areas=BELOW)],
    }
    for shape, method in shapes.items():
        found = overscan_correction(raw, STRIP, method, image_area=IMAGE)
        assert found.correction.shape == found.variance.shape == shape
    both = overscan_correction(
        raw, STRIP, few(), amplifiers=[area(0, 40, 0, 9), area(0, 40, 9, 30)]
    )
    assert both.correction.shape == both.mean_variance.shape == (30, 40)


def test_each_amplifier_is_measured_by_itself(raw):
    raw[:, 20:] += 100
    raw[15:] += 1000
    sides = [STRIP, area(32, 40, 0, 30)]
    quarters = [area(x, x + 20, y, y + 15) for y in (0, 15) for x in (0, 20)]
    for method in (few(), few(per="row", average="mean"), few(per="row", spline_nodes=3)):
        found = overscan_correction(raw, sides, method, amplifiers=quarters)
        assert len(found.levels) == 4
        assert [level.amplifier for level in found.levels] == [0, 1, 2, 3]
        for number, (y, x) in enumerate([(0, 0), (0, 20), (15, 0), (15, 20)]):
            part = np.s_[y : y + 15, x : x + 20]
            strip = area(0, 8, 0, 15) if x == 0 else area(12, 20, 0, 15)
            alone = overscan_correction(raw[part], strip, method)
            expected = np.broadcast_to(alone.correction, (15, 20))
            np.testing.assert_allclose(found.correction[part], expected, rtol=1e-13)
            np.testing.assert_allclose(
                found.variance[part], np.broadcast_to(alone.variance, (15, 20)), rtol=1e-12
            )
            assert found.levels[number].pixels == alone.pixels


def test_passes_see_what_the_passes_before_have_left(raw):
    rows, columns = few(per="row", average="mean"), few(per="column", average="mean", areas=BELOW)
    both = overscan_correction(raw, STRIP, [rows, columns], image_area=IMAGE)
    first = raw[:, :8].mean(axis=1, keepdims=True)
    second = (raw - first)[24:, 8:].mean(axis=0)
    np.testing.assert_allclose(both.correction, first[:24] + second, rtol=1e-13)
    assert [level.number for level in both.levels] == [0, 1]


def test_columns_may_come_before_rows(raw):
    rows, columns = few(per="row"), few(per="column", areas=BELOW)
    found = overscan_correction(raw, STRIP, [rows, columns], image_area=IMAGE)

    def turned(region):
        return Region(xmin=region.ymin, xmax=region.ymax, ymin=region.xmin, ymax=region.xmax)

    flipped = overscan_correction(
        raw.T,
        turned(STRIP),
        [few(per="column"), few(per="row", areas=turned(BELOW))],
        image_area=turned(IMAGE),
    )
    np.testing.assert_allclose(flipped.correction.T, found.correction, rtol=1e-13)
    np.testing.assert_allclose(flipped.variance.T, found.variance, rtol=1e-10)


def test_a_level_of_the_frame_before_columns_changes_nothing(raw):
    columns = few(per="column", areas=BELOW)
    alone = overscan_correction(raw, (), columns, image_area=IMAGE)
    after = overscan_correction(raw, STRIP, [few(), columns], image_area=IMAGE)
    expected = np.broadcast_to(alone.correction, after.correction.shape)
    np.testing.assert_allclose(after.correction, expected, rtol=1e-13)
    variance = np.broadcast_to(alone.variance, after.variance.shape)
    np.testing.assert_allclose(after.variance, variance, rtol=1e-9)


# ---------------------------------------------------------------------- against plain NumPy, SciPy


@pytest.mark.parametrize("terms", [1, 2, 4])
def test_a_polynomial_is_that_of_numpy(raw, terms):
    found = overscan_correction(
        raw, STRIP, few(per="row", polynomial_terms=terms, average="mean"), image_area=IMAGE
    )
    y = np.repeat(np.arange(30.0), 8)
    coefficients, covariance = np.polyfit(y, raw[:, :8].ravel(), terms - 1, cov=True)
    design = np.vander(np.arange(24.0), terms)
    np.testing.assert_allclose(found.correction[:, 0], design @ coefficients, rtol=1e-10)
    variance = ((design @ covariance) * design).sum(axis=1)
    np.testing.assert_allclose(found.variance[:, 0], variance, rtol=1e-7)


@pytest.mark.parametrize("nodes", [4, 6, 9])
def test_a_spline_is_that_of_scipy(raw, nodes):
    raw = raw + 3 * np.sin(np.arange(30) / 4)[:, None]
    method = few(per="row", spline_nodes=nodes, average="mean")
    found = overscan_correction(raw, STRIP, method)
    knots = np.linspace(0, 29, nodes - 2)[1:-1]
    spline = LSQUnivariateSpline(np.arange(30.0), raw[:, :8].mean(axis=1), knots)
    np.testing.assert_allclose(found.correction[:, 0], spline(np.arange(30.0)), rtol=1e-10)


def test_lines_of_unequal_numbers_of_pixels_count_by_them(raw):
    raw[:10, 2:8] = np.nan
    method = few(per="row", polynomial_terms=2, average="mean")
    found = overscan_correction(raw, STRIP, method)
    y, x = np.nonzero(np.isfinite(raw[:, :8]))
    expected = np.polyval(np.polyfit(y, raw[y, x], 1), np.arange(30))
    np.testing.assert_allclose(found.correction[:, 0], expected, rtol=1e-12)


def test_models_reach_beyond_their_pixels(raw):
    level = 10.0 + 0.5 * np.arange(30)[:, None]
    frame = np.broadcast_to(level, raw.shape)
    inner = area(0, 8, 5, 25)
    for model in ({"polynomial_terms": 2}, {"spline_nodes": 2}, {"spline_nodes": 7}):
        found = overscan_correction(frame, inner, few(per="row", **model))
        np.testing.assert_allclose(found.correction, level, rtol=1e-10)
    noisy = overscan_correction(raw, inner, few(per="row", polynomial_terms=2))
    assert noisy.variance[0] > 2 * noisy.variance[15]


# ---------------------------------------------------------------------- what must always hold


@st.composite
def frames_and_methods(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    raw = rng.normal(500, 5, (14, 18))
    raw[rng.random(raw.shape) < 0.05] = np.nan
    per = draw(st.sampled_from(["frame", "row", "column"]))
    options = {"per": per, "average": draw(st.sampled_from(["median", "mean"]))}
    if per != "frame":
        model = draw(st.sampled_from([None, "polynomial_terms", "spline_nodes"]))
        if model:
            options[model] = draw(st.integers(2, 5))
    strip = area(0, 18, 0, 5) if per == "column" else area(0, 5, 0, 14)
    return raw, strip, few(**options, reject_threshold=draw(st.sampled_from([2.0, 5.0])))


@settings(deadline=None)
@given(frames_and_methods(), st.floats(-1e4, 1e4))
def test_a_constant_moves_the_level_and_nothing_else(given_, constant):
    raw, strip, method = given_
    before, after = (overscan_correction(r, strip, method) for r in (raw, raw + constant))
    np.testing.assert_allclose(after.correction, before.correction + constant, atol=1e-8)
    np.testing.assert_allclose(after.variance, before.variance, rtol=1e-6)
    assert (after.pixels, after.iterations) == (before.pixels, before.iterations)


@settings(deadline=None)
@given(frames_and_methods())
def test_rows_of_a_frame_are_columns_of_its_transpose(given_):
    from dataclasses import replace

    raw, strip, method = given_
    other = {"row": "column", "column": "row", "frame": "frame"}[method.per]
    turned = Region(xmin=strip.ymin, xmax=strip.ymax, ymin=strip.xmin, ymax=strip.xmax)
    found = overscan_correction(raw, strip, method)
    flipped = overscan_correction(raw.T, turned, replace(method, per=other))
    np.testing.assert_allclose(flipped.correction.T, found.correction, rtol=1e-12)
    np.testing.assert_allclose(flipped.variance.T, found.variance, rtol=1e-10)


@settings(deadline=None)
@given(frames_and_methods())
def test_the_input_stays_as_it_is(given_):
    raw, strip, method = given_
    before = raw.copy()
    overscan_correction(raw, strip, method)
    np.testing.assert_array_equal(raw, before)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_polynomial_of_one_term_is_the_mean_of_all_pixels(seed):
    rng = np.random.default_rng(seed)
    raw = rng.normal(500, 5, (14, 18))
    raw[rng.random(raw.shape) < 0.3] = np.nan
    strip = area(0, 5, 0, 14)
    line = overscan_correction(raw, strip, few(per="row", polynomial_terms=1, average="mean"))
    frame = overscan_correction(raw, strip, few(average="mean"))
    np.testing.assert_allclose(line.correction, frame.correction, rtol=1e-13)
    np.testing.assert_allclose(line.variance, frame.variance, rtol=1e-10)


@settings(deadline=None)
@given(st.integers(2, 12), st.floats(-5, 5), st.sampled_from(["median", "mean"]))
def test_a_spline_of_any_number_of_nodes_holds_a_straight_line(nodes, slope, average):
    level = 100 + slope * np.arange(14.0)[:, None]
    raw = np.broadcast_to(level, (14, 18))
    method = few(per="row", spline_nodes=nodes, average=average)
    found = overscan_correction(raw, area(0, 5, 0, 14), method)
    np.testing.assert_allclose(found.correction, level, rtol=1e-10, atol=1e-10)


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("areas", "method", "text"),
    [
        ((), few(), r"there are no overscan areas; give areas, or Overscan\(areas"),
        (area(0, 8, 4, 30), few(per="row"), r"the image has rows without .* pixels, 0 to 3; give"),
        (area(0, 8, 0, 24), few(per="column"), "columns without overscan pixels, 8 to 39;"),
        (
            [area(0, 8, 0, 3), area(0, 8, 5, 9), area(0, 8, 12, 13), area(0, 8, 16, 17)],
            few(per="row"),
            "3 to 4, 9 to 11, 13 to 15 and 1 more ranges; give areas that cover them, or a model",
        ),
        (area(0, 1, 0, 30), few(per="row"), "24 overscan pixels for 24 levels do not determine"),
        (
            area(0, 8, 0, 3),
            few(per="row", polynomial_terms=4),
            "4 terms cannot be fitted to 3 overscan rows",
        ),
        (STRIP, [few(per="row")] * 2, "two passes per row: the second would measure what"),
        (
            area(0, 8, 0, 24),
            [few(per="row"), few(per="column", areas=BELOW)],
            "the overscan of later passes has rows without overscan pixels, 24 to 29",
        ),
    ],
)
def test_a_level_that_areas_cannot_give_is_refused(raw, areas, method, text):
    with pytest.raises(CalibrationError, match=text):
        overscan_correction(raw, areas, method, image_area=area(8, 40, 0, 24))


@pytest.mark.parametrize(
    ("amplifiers", "text"),
    [
        ([area(0, 20, 0, 30)], "the image pixel at x = 20, y = 0 lies in no amplifier; the am"),
        ([area(0, 40, 0, 24)], "the overscan pixel at x = 0, y = 24 lies in no amplifier"),
        (
            [area(0, 20, 0, 30), area(20, 40, 0, 30)],
            "no overscan pixel of amplifier 20 < x < 40, 0 < y < 30 lies in the overscan areas",
        ),
    ],
)
def test_amplifiers_that_leave_something_out_are_refused(raw, amplifiers, text):
    with pytest.raises(CalibrationError, match=text):
        overscan_correction(raw, STRIP, few(), image_area=IMAGE, amplifiers=amplifiers)


def test_an_amplifier_without_a_part_of_the_image_needs_no_overscan(raw):
    amplifiers = [area(0, 40, 0, 26), area(0, 40, 26, 30)]
    found = overscan_correction(
        raw, area(0, 8, 0, 26), few(), image_area=IMAGE, amplifiers=amplifiers
    )
    assert len(found.levels) == 1


def test_areas_outside_the_frame_are_refused(raw):
    with pytest.raises(OutsideImageError, match="overscan area 0 0 < x < 41"):
        overscan_correction(raw, area(0, 41, 0, 2), few())
    with pytest.raises(OutsideImageError, match="the image area"):
        overscan_correction(raw, STRIP, few(), image_area=area(8, 41, 0, 24))
    with pytest.raises(CalibrationError, match=r"an array \(y, x\), not one of shape \(2, 3, 4\)"):
        overscan_correction(np.zeros((2, 3, 4)), STRIP)


def test_too_few_pixels_are_an_error_that_names_frame_and_amplifier(raw):
    with pytest.raises(ConvergenceError, match=r"the frame: 8 overscan pixels are left .* is 100"):
        overscan_correction(raw, area(0, 8, 0, 1), Overscan())
    halves = [area(0, 40, 0, 3), area(0, 40, 3, 30)]
    with pytest.raises(ConvergenceError, match=r"frame 7, amplifier 0 < x < 40, 0 < y < 3: 24 ov"):
        overscan_correction(raw, STRIP, Overscan(), amplifiers=halves, name="frame 7")


def test_rows_lost_in_one_frame_may_leave_too_little_for_a_model(raw):
    raw[3:27, :8] = np.nan
    method = few(per="row", spline_nodes=7)
    with pytest.raises(ConvergenceError, match=r"the 6 lines .* do not determine the 7 terms"):
        overscan_correction(raw, STRIP, method)
    raw[:, :8] = np.nan
    with pytest.raises(ConvergenceError, match="0 overscan pixels are left"):
        overscan_correction(raw, STRIP, few(per="row"))


def test_a_camera_keeps_its_amplifiers():
    camera = Camera(amplifiers=["[1:20,1:30]", area(20, 40, 0, 30)])
    assert [one.region for one in camera.amplifiers] == [area(0, 20, 0, 30), area(20, 40, 0, 30)]
