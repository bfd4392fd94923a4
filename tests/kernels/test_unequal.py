"""Variances of quantiles of unequal noise: what equal noise, order, masks and blocks do to them."""

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.special import ndtr

from autowisp_xr import MinMax, NoiseClip
from tests.kernels.columns import averaged_columns


def variance_of(values, variance, quantile=0.5, *, unequal=True, **options):
    return averaged_columns(
        values,
        options.pop("mask", None),
        quantile=quantile,
        variance=variance,
        unequal=unequal,
        dtype=np.float64,
        **{"reject": None, "propagate": True, **options},
    ).variance


def of_noise(sigma, quantile=0.5):
    variance = np.square(sigma, dtype="f8")[:, None]
    return float(variance_of(np.zeros_like(variance), variance, quantile)[0])


@pytest.mark.parametrize("propagate", [False, True])
@pytest.mark.parametrize("quantile", [0.5, 0.3])
def test_equal_noise_gives_the_bits_of_the_plain_formula(quantile, propagate, rng):
    values = rng.normal(100, 10, (6, 700))
    # up to a tenth of the noise is as good as equal
    variance = 100 * rng.uniform(0.92, 1.09, values.shape)
    plain, found = (
        variance_of(values, variance, quantile, unequal=unequal, propagate=propagate)
        for unequal in (False, True)
    )
    np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize("number", [2, 3, 4, 7, 10, 13, 30])
@pytest.mark.parametrize(
    ("quantile", "more", "jump"), [(0.5, 1.3, 0.015), (0.3, 1.11, 0.015), (0.0, 1.05, 0.04)]
)
def test_noise_that_is_hardly_unequal_is_worth_what_equal_noise_is(number, quantile, more, jump):
    """So that nothing jumps where the one formula ends and the other begins."""
    sigma = np.resize((1.0, more), number)
    variance = np.square(sigma)[:, None]
    plain = variance_of(np.zeros_like(variance), variance, quantile, unequal=False)[0]
    assert of_noise(sigma, quantile) == pytest.approx(plain, rel=jump)


def test_the_least_of_three_is_that_of_its_integral():
    """Var(min) = E[min^2] - E[min]^2, the density the sum of who is the least."""
    sigma = np.array([1.0, 2.0, 4.0])

    def density(x):
        above = ndtr(-x / sigma)
        own = np.exp(-((x / sigma) ** 2) / 2) / sigma / np.sqrt(2 * np.pi)
        return sum(own[i] * np.delete(above, i).prod() for i in range(3))

    x = np.linspace(-40, 40, 80_001)
    chance = np.array([density(each) for each in x]) * (x[1] - x[0])
    mean = (chance * x).sum()
    expected = (chance * x**2).sum() - mean**2
    assert of_noise(sigma, 0.0) == pytest.approx(expected, rel=2e-3)


def test_the_quantile_of_two_is_that_of_its_integral():
    """Of x + share (y - x) with x the smaller one."""
    share, sigma = 0.3, (1.0, 4.0)

    def moment(power):
        def integrand(b, a):
            value = min(a, b) + share * abs(a - b)
            weight = np.exp(-(a**2) / 2 / sigma[0] ** 2 - b**2 / 2 / sigma[1] ** 2)
            return value**power * weight / (2 * np.pi * sigma[0] * sigma[1])

        ends = -7 * sigma[0], 7 * sigma[0]
        below = dblquad(integrand, *ends, lambda a: -7 * sigma[1], lambda a: a)[0]
        return below + dblquad(integrand, *ends, lambda a: a, lambda a: 7 * sigma[1])[0]

    expected = moment(2) - moment(1) ** 2
    assert of_noise(sigma, share) == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize("number", [5, 6, 15])
def test_the_order_of_frames_and_a_factor_of_all_noise_do_not_matter(number, rng):
    sigma = np.exp(rng.uniform(0, 1.5, number))
    first = of_noise(sigma)
    assert of_noise(rng.permutation(sigma)) == pytest.approx(first, rel=1e-12)
    assert of_noise(4 * sigma) == pytest.approx(16 * first, rel=1e-12)
    assert of_noise(3 * sigma) == pytest.approx(9 * first, rel=0.01)


def test_more_noise_never_makes_less():
    for number in (3, 4, 15):
        found = [of_noise(np.r_[np.ones(number - 1), 1.05**i]) for i in range(80)]
        assert (np.diff(found) > -1e-3 * found[0]).all()


def test_a_variance_that_is_not_known_leaves_none():
    variance = np.array([1.0, 4.0, np.nan])[:, None]
    assert np.isnan(variance_of(np.arange(3.0)[:, None], variance)).all()
    mask = np.array([0, 0, 1], np.uint8)[:, None]
    found = variance_of(np.arange(3.0)[:, None], variance, mask=mask)
    assert found[0] == pytest.approx(5 / 4, rel=1e-3)


@pytest.mark.parametrize("frames", [4, 14])
@pytest.mark.parametrize("propagate", [False, True])
@pytest.mark.parametrize("reject", [None, MinMax(), NoiseClip(3)])
def test_blocks_of_any_width_give_the_same_bits(reject, propagate, frames, rng):
    """What was met before in a block must not show."""
    values = rng.normal(100, 10, (frames, 700)).astype("f4")
    variance = (100 * np.exp(rng.uniform(0, 2, values.shape))).astype("f4")
    variance[:, ::3] = np.resize((100, 400, 900), frames)[:, None]
    mask = rng.choice([0, 0, 0, 0, 4], values.shape).astype("u1")
    options = {"reject": reject, "propagate": propagate}
    whole = variance_of(values, variance, mask=mask, **options)
    for start, stop in [(0, 1), (3, 500), (256, 700), (699, 700)]:
        part = (slice(None), slice(start, stop))
        found = variance_of(values[part], variance[part], mask=mask[part], **options)
        np.testing.assert_array_equal(found, whole[start:stop])
