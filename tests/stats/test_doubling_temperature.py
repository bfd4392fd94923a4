"""``doubling_of``: the law by hand, its uncertainty, and when nothing is known."""

import math

import numpy as np
import pytest

from autowisp_xr.stats.doubling_temperature import UNKNOWN, doubling_of

BOLTZMANN = 8.617333262e-5


def rates_at(degrees, energy=1.1, rate=0.1, at=-10.0):
    """Rates by the law of the depleted pixel, whose rate is known at one temperature."""
    kelvin, middle = np.asarray(degrees) + 273.15, at + 273.15
    return (
        rate
        * (kelvin / middle) ** 1.5
        * np.exp(-energy / (2 * BOLTZMANN) * (1 / kelvin - 1 / middle))
    )


@pytest.mark.parametrize(("energy", "doubles"), [(1.1, 7.0824), (2.2, 3.6474)])
def test_energy_and_doubling_are_those_of_the_law(energy, doubles):
    degrees = [-20.0, -10.0, 0.0]
    rates = rates_at(degrees, energy)
    found = doubling_of(degrees, rates, 0.01 * rates)
    assert found.energy == pytest.approx(energy)
    assert found.at == pytest.approx(-10.0)
    assert found.degrees == pytest.approx(doubles, abs=1e-3)
    # the definition, and the number of a calculation by hand at -10 C
    cold, warm = rates_at([found.at - 0.05, found.at + 0.05], energy)
    assert found.degrees == pytest.approx(0.1 * math.log(2) / math.log(warm / cold), rel=1e-5)
    assert found.degrees == pytest.approx(doubles, abs=1e-3)
    grown = rates / rates_at(found.at, energy)
    assert found.grown(np.array(degrees)) == pytest.approx(grown)


def test_of_two_rates_the_uncertainty_is_that_of_their_ratio():
    found = doubling_of([-15.0, -5.0], [0.1, 0.2], [0.003, 0.004])
    by_ratio = np.hypot(0.03, 0.02) / math.log(2)
    assert found.error / found.degrees == pytest.approx(by_ratio, rel=0.08)


@pytest.mark.parametrize("degrees", [(-15, -5), (-20, -15, -10, -5, 0)])
def test_uncertainties_are_true(degrees):
    rng = np.random.default_rng(3)
    pulls = []
    for _ in range(600):
        error = rates_at(degrees) * rng.uniform(0.01, 0.04, len(degrees))
        found = doubling_of(degrees, rng.normal(rates_at(degrees), error), error)
        truth = 1 / np.diff(np.log2(rates_at([found.at - 0.5, found.at + 0.5])))[0]
        pulls.append((found.degrees - truth) / found.error)
    # three rates and more that scatter by more than their errors make the uncertainty larger
    assert np.std(pulls) == pytest.approx(1 if len(degrees) == 2 else 0.93, abs=0.06)
    assert abs(np.mean(pulls)) < 0.15


def test_a_plain_exponential_has_its_own_doubling_where_the_rates_are_known_best():
    degrees = np.array([-20.0, -14, -8, -2])
    found = doubling_of(degrees, 2 ** (degrees / 6), np.full(4, 0.002))
    assert found.degrees == pytest.approx(6.0, rel=0.005)
    assert -8 < found.at < -4


def test_rates_that_are_off_by_more_than_their_errors_make_it_uncertain():
    degrees = np.array([-20.0, -10.0, 0.0])
    rates = rates_at(degrees) * [1.0, 1.3, 1.0]
    exact, off = (doubling_of(degrees, of, 0.01 * rates) for of in (rates_at(degrees), rates))
    assert off.error > 10 * exact.error


def test_without_errors_rates_count_alike_and_three_show_the_uncertainty():
    degrees = [-20.0, -10.0, 0.0]
    rates = rates_at(degrees) * [1.02, 1.0, 1.02]
    assert doubling_of(degrees, rates).error > 0
    two = doubling_of(degrees[:2], rates[:2], [np.nan, 0.001])
    assert two.degrees > 0
    assert math.isnan(two.error)


@pytest.mark.parametrize(
    ("degrees", "rates", "errors"),
    [
        ([-10.0], [0.1], [0.01]),
        ([-10.0, -9.5], [0.1, 0.2], [0.01, 0.01]),
        ([-10.0, np.nan], [0.1, 0.2], [0.01, 0.01]),
        ([-10.0, 0.0], [0.02, 0.2], [0.01, 0.01]),
        ([-10.0, 0.0], [-0.1, 0.2], None),
        ([-10.0, 0.0], [0.3, 0.1], [0.001, 0.001]),
    ],
    ids=["one", "near", "unstated", "noise", "negative", "falling"],
)
def test_what_shows_no_growth_is_not_known(degrees, rates, errors):
    assert np.isnan(doubling_of(degrees, rates, errors)).all()
    assert np.isnan(UNKNOWN).all()
