"""The stack of pixels against a slow obvious version of it."""

import itertools

import numpy as np
import pytest

from autowisp_xr.flags import Flag
from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.kernels.pixels import UNKNOWN, Noise, Pixels
from autowisp_xr.kernels.stack import average_pixels
from autowisp_xr.outliers.sigma_clip import SigmaClip
from autowisp_xr.stats.order_statistics import variance_factors
from tests.kernels.columns import averaged_columns
from tests.kernels.slow import slow_stack

DTYPES = ["uint16", "int16", "int32", "float32", "float64"]
AVERAGES = {"median": 0.5, "mean": MEAN, 0.3: 0.3, 0.0: 0.0, 1.0: 1.0}
NUMBERS = [*range(1, 41), 100]
# thresholds that no ratio of small integers hits exactly
CLIPPINGS = [
    (plus, minus, mad, max_iter)
    for (plus, minus), mad, max_iter in itertools.product(
        [(1.71, 1.71), (2.237, 1.193), (1.3417, 3.1831), (4.013, 4.013)],
        [False, True],
        [0, 1, 2, None],
    )
]
PIXELS = 9
NO_NOISE = Noise(*[np.empty((0, 0))] * 6)


def drawn(rng, dtype, number, pixels=PIXELS):
    kind = np.dtype(dtype)
    values = rng.normal(100, 12, (number, pixels))
    values[rng.random(values.shape) < 0.15] += rng.choice([-60, 80, 150])
    if kind.kind == "f":
        values = values.astype(kind)
        for bad in (np.nan, np.inf, -np.inf):
            values[rng.random(values.shape) < 0.04] = bad
        return values
    info = np.iinfo(kind)
    values = np.clip(values, max(info.min, 0), min(info.max, 250)).astype(kind)
    values[rng.random(values.shape) < 0.03] = info.max
    values[rng.random(values.shape) < 0.03] = info.min
    return values


def stacked(values, mask=None, *, average="median", clipping=None, **options):
    quantile = AVERAGES[average]
    options = {"dtype": np.float64, "exclude": 127, **options}
    reject = None
    if clipping:
        plus, minus, mad, rounds = clipping
        reject = SigmaClip((plus, -minus), "mad" if mad else "rms", rounds)
    return averaged_columns(values, mask, quantile=quantile, reject=reject, **options)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_kernel_agrees_with_the_slow_version(dtype, average):
    rng = np.random.default_rng([DTYPES.index(dtype), list(AVERAGES).index(average)])
    rejected = 0
    for number in NUMBERS:
        values = drawn(rng, dtype, number)
        mask = rng.choice([0, 0, 0, 1, 2, 32], values.shape).astype("u1")
        mask[:, 0] = 2
        exclude = int(rng.choice([127, 1, 2, 0]))
        plus, minus, mad, max_iter = CLIPPINGS[rng.integers(len(CLIPPINGS))]
        found = stacked(
            values,
            mask,
            average=average,
            clipping=(plus, minus, mad, max_iter),
            exclude=exclude,
        )
        scatter = variance_factors(AVERAGES[average], number)[0]
        block = SigmaClip((plus, -minus), "mad" if mad else "rms", max_iter).average(
            Pixels(values, mask, np.uint8(exclude)), NO_NOISE, AVERAGES[average], UNKNOWN
        )[0]
        for pixel in range(PIXELS):
            slow = slow_stack(
                values[:, pixel],
                average,
                plus=plus,
                minus=minus,
                mad=mad,
                max_iter=max_iter,
                excluded=(mask[:, pixel] & exclude) != 0,
            )
            count = int(slow.kept.sum())
            context = (number, pixel, plus, minus, mad, max_iter, exclude)
            rejected += int(found.number[pixel] < np.isfinite(values[:, pixel]).sum())
            assert found.number[pixel] == count, context
            assert block.rejecting[pixel] == slow.rejecting, context
            np.testing.assert_allclose(found.image[pixel], slow.average, rtol=1e-13)
            np.testing.assert_allclose(
                found.variance[pixel],
                slow.squared_deviations * scatter[count] if count > 1 else np.nan,
                rtol=1e-9,
                atol=1e-9,
            )
            bits = mask[slow.kept, pixel] if count else mask[:, pixel]
            expected = np.bitwise_or.reduce(bits, initial=0)
            expected |= np.bitwise_or.reduce(mask[:, pixel], initial=0) & Flag.SATURATED
            expected |= Flag.FAULT * (count < 2)
            # a value equal to the end of the range of survivors bears its flags whatever it was
            assert found.mask[pixel] == expected, context
            if count:
                kept = np.sort(values[slow.kept, pixel].astype(float))
                assert [block.smallest[pixel], block.largest[pixel]] == [kept[0], kept[-1]]
    assert rejected > 20


@pytest.mark.parametrize("average", ["median", "mean", 0.3])
def test_integers_and_floats_of_the_same_values_give_the_same_bits(average, rng):
    values = rng.integers(0, 200, (11, 300)).astype("u1")
    clipping = (1.9, 1.9, True, None)
    results = [stacked(values.astype(kind), average=average, clipping=clipping) for kind in DTYPES]
    for result in results[1:]:
        for ours, theirs in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("average", ["median", "mean", 0.3])
def test_pixels_do_not_depend_on_how_they_are_blocked(average, rng):
    values = rng.normal(100, 10, (7, 517)).astype("f4")
    values[rng.random(values.shape) < 0.1] = 1e4
    variance = rng.uniform(50, 150, values.shape).astype("f4")
    options = {"average": average, "clipping": (1.8, 1.8, False, None), "propagate": True}
    whole = stacked(values, variance=variance, **options)
    for start, stop in [(0, 1), (0, 127), (1, 130), (126, 517), (516, 517)]:
        part = stacked(values[:, start:stop], variance=variance[:, start:stop], **options)
        np.testing.assert_array_equal(part.image, whole.image[start:stop])
        np.testing.assert_array_equal(part.variance, whole.variance[start:stop])
        np.testing.assert_array_equal(part.number, whole.number[start:stop])


@pytest.mark.parametrize("average", list(AVERAGES.values()))
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_few_pixels_that_lack_values_have_the_bits_of_those_alone(dtype, average, rng):
    values = rng.integers(90, 110, (7, 600)).astype(dtype)
    mask = np.zeros(values.shape, "u1")
    mask[rng.random(values.shape) < 0.003] = 1
    mask[:, [5, 300]] = 1
    found = average_pixels(Pixels(values, mask, np.uint8(1)), average)
    assert 0 < (found.number < 7).sum() < 30
    for pixel in np.flatnonzero(found.number < 8):
        here = slice(pixel, pixel + 1)
        alone = average_pixels(Pixels(values[:, here], mask[:, here], np.uint8(1)), average)
        for one, other in zip(found, alone, strict=True):
            np.testing.assert_array_equal(one[here], other)


@pytest.mark.parametrize("average", ["median", "mean", 0.3])
def test_a_scatter_does_not_depend_on_what_is_rejected_from_neighbours(average, rng):
    values = rng.normal(100, 10, (30, 300))
    reject = SigmaClip(5, scale="mad", about="median")
    alone, beside = (
        averaged_columns(some, reject=reject, quantile=AVERAGES[average], dtype="f8")
        for some in (values, np.where(np.arange(300) == 299, np.arange(30)[:, None] ** 4, values))
    )
    np.testing.assert_array_equal(alone.variance[:299], beside.variance[:299])


@pytest.mark.parametrize("rounds", [None, 1, 2])
@pytest.mark.parametrize("dtype", ["f4", "f8", "u2"])
def test_a_mean_does_not_depend_on_how_many_of_its_neighbours_reject(dtype, rounds, rng):
    # where many do, all go through one round together
    values = rng.normal(1000, 10, (30, 400)).astype(dtype)
    reject, quiet = SigmaClip(2, max_iter=rounds), np.full((30, 1), 1000, dtype)
    together = averaged_columns(values, reject=reject, quantile=MEAN, dtype="f8")
    assert (together.number < 30).mean() > 0.5
    few = np.arange(400) % 7 == 3
    alone = averaged_columns(np.where(few, values, quiet), reject=reject, quantile=MEAN, dtype="f8")
    for ours, theirs in zip(together, alone, strict=True):
        if ours is not None:
            np.testing.assert_array_equal(ours[few], theirs[few])


def test_thousands_of_frames_are_averaged(rng):
    values = rng.integers(90, 110, (1500, 20)).astype("u2")
    values[7] = 60000
    found = stacked(values, average="median", clipping=(6.0, 6.0, False, None))
    np.testing.assert_array_equal(found.image, np.median(np.delete(values, 7, axis=0), axis=0))
    assert (found.number == 1499).all()


def test_arrays_of_any_shape_and_layout_go_through(rng):
    values = rng.normal(size=(5, 2, 3, 4))
    expected = np.median(values, axis=0)
    np.testing.assert_array_equal(stacked(values).image, expected)
    np.testing.assert_array_equal(stacked(np.asfortranarray(values)).image, expected)
    np.testing.assert_array_equal(stacked(values[:, ::-1]).image, expected[::-1])
    big_endian = values.astype(">f8").astype("=f8")
    np.testing.assert_array_equal(stacked(big_endian).image, expected)
    assert stacked(values[:, 0, 0, 0]).image.shape == ()


PARTS = {
    "rows": np.s_[:, 1:4],
    "columns": np.s_[:, :, 2:9],
    "every second column": np.s_[:, :, ::2],
    "rows of frames backwards": np.s_[::-1, 1:4],
    "a row of every second frame": np.s_[::2, 2:3],
    "nothing": np.s_[:, :0],
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
@pytest.mark.parametrize("average", ["median", "mean"])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_a_part_of_larger_frames_has_the_bits_of_its_copy(dtype, average, part, rng):
    values = drawn(rng, dtype, 8, 60).reshape(8, 6, 10)
    options = {"average": average, "clipping": (2.237, 1.193, False, None)}
    before = values.copy()
    found, expected = (stacked(each, **options) for each in (values[part], values[part].copy()))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("average", ["median", "mean"])
@pytest.mark.parametrize("kind", [">u2", ">f4", ">i4", "f2"])
def test_numbers_in_the_order_of_files_are_the_same_numbers(kind, average, rng):
    values = rng.integers(0, 100, (5, 20)).astype(kind)
    found = stacked(values, average=average).image
    np.testing.assert_allclose(found, getattr(np, average)(values.astype("f8"), axis=0))


def test_numbers_that_there_are_no_kernels_for_are_refused():
    with pytest.raises(TypeError, match="images are of integers, float32 or float64, not of compl"):
        stacked(np.ones((3, 4), complex))


@pytest.mark.parametrize("average", ["median", "mean", 0.3])
def test_of_no_frames_nothing_is_left(average):
    found = stacked(np.empty((0, 4)), average=average, clipping=(3.0, 3.0, False, None))
    assert np.isnan(found.image).all()
    assert found.number.tolist() == [0] * 4


def test_a_mean_of_many_float32_values_is_exact():
    """Sums of float32 would be off: 2^24 + 1 is not a float32."""
    values = np.full((100, 3), 16777215.0, "f4")
    values[::2] = 1.0
    found = stacked(values, average="mean")
    np.testing.assert_array_equal(found.image, 8388608.0)


def test_the_largest_integer_is_a_value_like_any_other():
    """What is excluded is sorted as the largest value, and must not take its place."""
    values = np.array([[65535, 65535], [65535, 7], [3, 65535]], "u2")
    mask = np.array([[0, 0], [1, 0], [0, 1]], "u1")
    found = stacked(values, mask, average="mean")
    assert found.image.tolist() == [(65535 + 3) / 2, (65535 + 7) / 2]
    assert found.number.tolist() == [2, 2]


def test_where_no_value_is_left_there_is_nan_no_count_and_all_flags():
    values = np.array([[1.0, 1.0], [2.0, np.nan]])
    mask = np.array([[2, 4], [8, 0]], "u1")
    found = stacked(values, mask, variance=np.ones((2, 2)), propagate=True)
    assert np.isnan(found.image).all()
    assert np.isnan(found.variance).all()
    assert found.number.tolist() == [0, 0]
    assert found.mask.tolist() == [2 | 8 | 1, 4 | 1]


def test_flags_of_values_that_were_rejected_are_not_inherited_but_for_saturation():
    values = np.array([10.0, 11.0, 12.0, 13.0, 1000.0])[:, None]
    for last, inherited in ((4, 0), (4 | 16, 16)):
        mask = np.array([0, 2, 0, 32, last], "u1")[:, None]
        found = stacked(values, mask, exclude=1, clipping=(1.5, 1.5, False, 1))
        assert found.number.tolist() == [4]
        assert found.mask.tolist() == [2 | 32 | inherited]


@pytest.mark.parametrize(("reach", "expected"), [(0.0, [0, 0]), (2.0, [16, 0]), (np.inf, [16, 16])])
def test_saturation_is_inherited_of_values_within_reach_of_the_average(reach, expected):
    values = np.array([[100.0, 100.0], [102.0, 102.0], [150.0, 1000.0]])
    mask = np.array([[0, 0], [0, 0], [16, 16]], "u1")
    assert stacked(values, mask, reach=reach).mask.tolist() == expected


def test_too_few_values_are_a_fault_but_stay_an_average():
    found = stacked(np.array([[1.0, np.nan], [3.0, 5.0], [5.0, 7.0]]), min_values=3)
    assert found.image.tolist() == [3.0, 6.0]
    assert found.mask.tolist() == [0, 1]


def test_a_value_without_an_error_is_a_fault():
    found = stacked(np.array([[1.0, np.nan], [3.0, 5.0]]))
    assert found.image.tolist() == [2.0, 5.0]
    assert found.mask.tolist() == [0, 1]
    variance = np.array([[1.0, np.nan, np.inf], [1.0, 1.0, 1.0]])
    values = np.ones((2, 3))
    propagated = stacked(values, variance=variance, propagate=True)
    assert propagated.mask.tolist() == [0, 1, 1]
    assert stacked(np.ones((1, 1)), errors=False).mask.tolist() == [0]


def test_what_is_too_large_for_its_type_is_a_fault():
    values = np.array([[1e30, 1e39], [3e30, 1e39]])
    found = stacked(values, dtype=np.float32)
    assert found.mask.tolist() == [1, 1]
    assert found.image[0] == np.float32(2e30)
    assert np.isnan(found.image[1])
    assert stacked(values).mask.tolist() == [0, 0]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 8, 30])
@pytest.mark.parametrize("average", ["median", "mean", 0.3])
def test_a_propagated_variance_is_that_of_its_formula(number, average, rng):
    values = rng.normal(100, 10, (number, 4))
    variance = rng.uniform(80, 120, (number, 4))
    quantile = AVERAGES[average]
    _, ratio, share = variance_factors(quantile, number)
    found = stacked(values, variance=variance, average=average, propagate=True)
    arithmetic = variance.mean(axis=0)
    harmonic = (number / (variance**-0.5).sum(axis=0)) ** 2
    if average == "mean":
        assert (ratio[number], share[number]) == (1.0, 1.0)
    elif number > 2:
        assert share[number] == (4 / number**2 if number % 2 == 0 else 0.0)
    mixed = share[number] * arithmetic + (1 - share[number]) * harmonic
    np.testing.assert_allclose(found.variance, ratio[number] / number * mixed, rtol=1e-13)


def test_shared_parts_do_not_average_down():
    values = np.array([10.0, 20.0, 60.0])[:, None]
    variance = np.array([30.0, 40.0, 60.0])[:, None]
    relative = np.array([0.01])
    own = variance[:, 0] - 5.0 - values[:, 0] ** 2 * 0.01
    found = stacked(
        values,
        variance=variance,
        shared=np.array([5.0]),
        relative=relative,
        average="mean",
        propagate=True,
    )
    np.testing.assert_allclose(found.variance, own.sum() / 9 + 5.0 + 30.0**2 * 0.01, rtol=1e-14)
    np.testing.assert_array_equal(found.shared_variance, [5.0])


def test_shared_parts_that_differ_between_frames_add_as_amplitudes():
    values = np.array([10.0, 20.0, 90.0, 30.0])[:, None]
    shared = np.array([1.0, 4.0, 100.0, 9.0])[:, None]
    variance = shared + 6.0
    mask = np.array([0, 0, 1, 0], "u1")[:, None]
    found = stacked(values, mask, variance=variance, shared=shared, average="mean", propagate=True)
    # (1 + 2 + 3)^2 / 3^2 of what survives, and 6 / 3 of its own
    np.testing.assert_allclose(found.shared_variance, [4.0], rtol=1e-14)
    np.testing.assert_allclose(found.variance, [6.0], rtol=1e-14)
    scatter = stacked(values, mask, shared=shared, average="mean")
    np.testing.assert_allclose(scatter.variance, [200.0 / 6 + 4.0], rtol=1e-14)


def test_rounding_never_makes_a_variance_negative():
    values = np.full((3, 1), 10.0, "f4")
    found = stacked(
        values,
        variance=np.full((3, 1), 4.9999995, "f4"),
        shared=np.array([5.0], "f4"),
        average="median",
        propagate=True,
    )
    np.testing.assert_array_equal(found.variance, [5.0])
