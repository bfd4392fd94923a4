"""Weighted means and the noise of survivors against their formulas, pixel by pixel."""

import numpy as np
import pytest

from autowisp_xr import MinMax, NoiseClip, SigmaClip
from autowisp_xr.kernels.clip import MEAN
from tests.kernels.columns import averaged_columns

FRAMES, CHANNELS, ROWS, COLUMNS = 6, 2, 3, 400


@pytest.fixture
def frames(rng):
    values = rng.normal(100, 10, (FRAMES, CHANNELS, ROWS, COLUMNS)).astype("f4")
    values[rng.random(values.shape) < 0.05] = np.nan
    mask = rng.choice([0, 0, 0, 0, 1], values.shape).astype("u1")
    return values, mask, rng.uniform(50, 150, values.shape).astype("f4")


def stacked(values, mask, weights, **options):
    return averaged_columns(
        values,
        mask,
        quantile=MEAN,
        weights=weights,
        dtype=np.float64,
        **{"reject": None, **options},
    )


@pytest.mark.parametrize("columns", ["frame", "channel", "pixel"])
@pytest.mark.parametrize("propagate", [False, True])
def test_a_weighted_mean_is_that_of_its_formulas(frames, columns, propagate, rng):
    values, mask, variance = frames
    width = {"frame": 1, "channel": CHANNELS, "pixel": CHANNELS * ROWS * COLUMNS}[columns]
    weights = rng.uniform(0.2, 3, (FRAMES, width))
    found = stacked(values, mask, weights, variance=variance, propagate=propagate)
    spread = np.repeat(weights, CHANNELS * ROWS * COLUMNS // width, axis=1).reshape(values.shape)
    good = np.isfinite(values) & (mask == 0)
    w = np.where(good, spread, 0.0)
    x = np.where(good, values, 0.0).astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = w / w.sum(axis=0)
        average = (p * x).sum(axis=0)
        if propagate:
            expected = np.where(good, p**2 * variance.astype(float), 0.0).sum(axis=0)
        else:
            parts = p**2 * (x - average) ** 2 / (1 - p)
            expected = np.where(good, parts, 0.0).sum(axis=0)
            expected[good.sum(axis=0) < 2] = np.nan
    expected[good.sum(axis=0) == 0] = np.nan
    np.testing.assert_allclose(found.image, average, rtol=1e-12)
    np.testing.assert_allclose(found.variance, expected, rtol=1e-9)
    np.testing.assert_array_equal(found.number, good.sum(axis=0))


def test_equal_weights_change_nothing(frames):
    values, mask, variance = frames
    options = {"variance": variance, "shared": np.abs(values[:1, ...]).repeat(FRAMES, axis=0) / 9}
    for propagate in (False, True):
        plain = stacked(values, mask, None, propagate=propagate, **options)
        found = stacked(values, mask, np.full((FRAMES, 1), 2.5), propagate=propagate, **options)
        np.testing.assert_allclose(found.image, plain.image, rtol=1e-13)
        np.testing.assert_allclose(found.variance, plain.variance, rtol=1e-10)
        np.testing.assert_allclose(found.shared_variance, plain.shared_variance, rtol=1e-12)


def test_shared_parts_are_weighed_as_amplitudes():
    values = np.array([10.0, 20.0, 60.0])[:, None]
    weights = np.array([[1.0], [2.0], [1.0]])
    shared = np.array([1.0, 4.0, 9.0])[:, None]
    found = stacked(values, None, weights, shared=shared, variance=shared + 8, propagate=True)
    # (1 + 2 * 2 + 3)^2 / 4^2, and (1 + 4 + 1) 8 / 4^2 of their own
    np.testing.assert_allclose(found.shared_variance, [4.0], rtol=1e-14)
    np.testing.assert_allclose(found.variance, [7.0], rtol=1e-14)
    np.testing.assert_allclose(found.image, [27.5], rtol=1e-14)


def test_rejection_does_not_look_at_weights(rng):
    values = rng.normal(100, 1, (20, 50))
    values[3] = 500
    weights = np.ones((20, 1))
    weights[3] = 1e6
    found = stacked(values, None, weights, reject=SigmaClip(3))
    assert (found.number <= 19).all()
    assert (np.abs(found.image - 100) < 2).all()


def test_one_value_with_all_the_weight_has_no_scatter(rng):
    values = rng.normal(100, 1, (3, 500))
    weights = np.zeros((3, 500))
    weights[1] = rng.uniform(size=500)
    found = stacked(values, None, weights)
    np.testing.assert_allclose(found.image, values[1], rtol=1e-14)
    assert np.isnan(found.variance).all()


@pytest.mark.parametrize("average", [MEAN, 0.5])
def test_blocks_of_any_width_give_the_same_bits(average, rng):
    values = rng.normal(100, 10, (7, 2300)).astype("f4")
    variance = rng.uniform(50, 150, values.shape).astype("f4")
    mask = rng.choice([0, 0, 0, 0, 4], values.shape).astype("u1")
    weights = rng.uniform(1, 2, (7, 1)) if average == MEAN else None

    def part(start, stop, reject):
        return averaged_columns(
            values[:, start:stop],
            mask[:, start:stop],
            quantile=average,
            reject=reject,
            variance=variance[:, start:stop],
            weights=weights,
            propagate=True,
        )

    for reject in (MinMax(), NoiseClip(1.8)):
        whole = part(0, 2300, reject)
        for start, stop in [(0, 1), (3, 1100), (1024, 2300), (2299, 2300)]:
            for ours, theirs in zip(part(start, stop, reject), whole, strict=True):
                if ours is not None:
                    np.testing.assert_array_equal(ours, np.asarray(theirs)[..., start:stop])
