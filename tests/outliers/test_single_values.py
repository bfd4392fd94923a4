"""Rejection of single values against a slow obvious version of it."""

import numpy as np
import pytest

from autowisp_xr import MinMax, NoiseClip, SigmaClip
from autowisp_xr.kernels.clip import MEAN
from tests.kernels.columns import averaged_columns

PIXELS = 2100  # more than are worked upon at a time


def stacked(values, mask=None, *, average, reject, **options):
    quantile = MEAN if average == "mean" else 0.5
    return averaged_columns(values, mask, quantile=quantile, reject=reject, dtype=float, **options)


def averaged(values, average):
    return np.mean(values) if average == "mean" else np.median(values)


def without_extremes(good, smallest, largest):
    """Which of the good values of a pixel are left, the first of equal ones going first."""
    left = sorted(good, key=lambda item: item[1])[smallest:]
    left = sorted(left, key=lambda item: (-item[1], item[0]))[largest:]
    return sorted(left)


@pytest.mark.parametrize("average", ["median", "mean"])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
@pytest.mark.parametrize(("smallest", "largest"), [(1, 1), (0, 2), (3, 0)])
def test_extremes_are_left_out_of_each_pixel(smallest, largest, dtype, average, rng):
    values = rng.integers(0, 12, (7, PIXELS)).astype(dtype)
    mask = rng.choice([0, 0, 0, 2, 8], values.shape).astype("u1")
    if dtype == "float32":
        values[rng.random(values.shape) < 0.1] = np.nan
    before = values.copy(), mask.copy()
    found = stacked(
        values,
        mask,
        average=average,
        exclude=2,
        reject=MinMax(smallest, largest),
    )
    for pixel in [*range(60), PIXELS - 1]:
        good = [
            (frame, float(values[frame, pixel]))
            for frame in range(7)
            if not mask[frame, pixel] & 2 and np.isfinite(values[frame, pixel])
        ]
        left = without_extremes(good, smallest, largest)
        assert found.number[pixel] == len(left)
        assert found.low[pixel] == min(smallest, len(good))
        assert found.high[pixel] == min(largest, max(len(good) - smallest, 0))
        bits = [mask[frame, pixel] for frame, _ in left] or list(mask[:, pixel])
        assert found.mask[pixel] == np.bitwise_or.reduce(bits) | (len(left) < 2)
        if left:
            expected = averaged([value for _, value in left], average)
            np.testing.assert_allclose(found.image[pixel], expected, rtol=1e-14)
        else:
            assert np.isnan(found.image[pixel])
    np.testing.assert_array_equal(values, before[0])
    np.testing.assert_array_equal(mask, before[1])


def without_noisy(values, sigma, kept, plus, minus, rounds):
    number = 0
    while kept.any() and (rounds is None or number < rounds):
        distance = values - np.median(values[kept])
        inside = kept & ~(distance > plus * sigma) & ~(distance < -minus * sigma)
        if (inside == kept).all():
            break
        kept = inside
        number += 1
    return kept


@pytest.mark.parametrize("average", ["median", "mean"])
@pytest.mark.parametrize("rounds", [None, 0, 1])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_values_beyond_their_own_noise_are_left_out(dtype, rounds, average, rng):
    variance = rng.uniform(4, 400, (6, PIXELS)).astype("f4")
    values = np.abs(rng.normal(300, np.sqrt(variance))).astype(dtype)
    values[rng.random(values.shape) < 0.1] += np.array(90, dtype)
    mask = rng.choice([0, 0, 0, 0, 32], values.shape).astype("u1")
    shared, relative = np.full(PIXELS, 1.5, "f4"), np.full(PIXELS, 1e-6, "f4")
    found = stacked(
        values,
        mask,
        average=average,
        reject=NoiseClip((3.1, -2.7), rounds),
        variance=variance,
        shared=shared,
        relative=relative,
        propagate=True,
    )
    rejected = 0
    for pixel in [*range(80), PIXELS - 1]:
        column = values[:, pixel].astype(float)
        own = variance[:, pixel].astype(float) - np.float64(shared[pixel])
        sigma = np.sqrt(np.maximum(own - column * column * np.float64(relative[pixel]), 0))
        good = (mask[:, pixel] & 127) == 0
        kept = without_noisy(column, sigma, good, 3.1, 2.7, rounds)
        assert found.number[pixel] == kept.sum()
        assert found.low[pixel] + found.high[pixel] == good.sum() - kept.sum()
        rejected += found.high[pixel]
        if kept.any():
            np.testing.assert_allclose(
                found.image[pixel], averaged(column[kept], average), rtol=1e-14
            )
    assert (rejected > 0) == (rounds != 0)


def test_a_mean_is_not_drawn_away_from_all_values_by_one_of_them(rng):
    values = rng.normal(100, 10, (30, 50))
    values[7] += 5000
    found = stacked(values, average="mean", reject=NoiseClip(5), variance=np.full((30, 50), 100.0))
    assert (found.number >= 28).all()
    assert (found.high >= 1).all()
    assert (np.abs(found.image - 100) < 10).all()


def test_values_without_noise_of_their_own_stay():
    values = np.array([[10.0], [10.1], [10.2], [10.3]])
    one = np.ones(4)[:, None]
    found = stacked(values, average="median", reject=NoiseClip(5), variance=one, shared=one[0])
    assert found.number.tolist() == [4]


def test_numbers_rejected_at_the_ends_are_counted_by_side():
    values = np.array([[10.0], [11.0], [9.0], [10.5], [10.0], [9.5], [80.0], [-70.0], [85.0]])
    for average in ("median", "mean"):
        found = stacked(values, average=average, reject=SigmaClip(1.3, max_iter=1))
        assert (found.low.tolist(), found.high.tolist(), found.number.tolist()) == ([1], [2], [6])
