"""The shrinking interval against the slow stack of one pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr.kernels.clip import MEAN
from autowisp_xr.kernels.clip_list import average_list
from tests.kernels.slow import slow_stack

NAMES = {"mean": MEAN, "median": 0.5, 0.3: 0.3}


def sample(values, quantile=MEAN, upper=3.0, lower=-3.0, max_rounds=None):
    return average_list(
        np.asarray(values), quantile=quantile, upper=upper, lower=lower, max_rounds=max_rounds
    )


def test_a_sample_by_hand():
    found = sample([1.0, 2.0, 3.0, 4.0, 100.0], upper=1.5, lower=-1.5, max_rounds=1)
    assert (found.average, found.squared_deviations, found.number) == (2.5, 5.0, 4)
    assert found.limits == (1.0, 4.0)
    assert found.rejecting
    found = sample([1.0, 2.0, 3.0, 4.0, 100.0], upper=1.5, lower=-1.5, max_rounds=2)
    assert (found.number, found.rejecting) == (4, False)


def test_the_sides_have_thresholds_of_their_own():
    values = [-100.0, 1.0, 2.0, 3.0, 4.0, 100.0, 1.0, 2.0, 3.0, 4.0]
    above = sample(values, upper=2.0, lower=-1e6, max_rounds=1)
    assert (above.number, above.limits) == (9, (-100.0, 4.0))
    below = sample(values, upper=1e6, lower=-2.0, max_rounds=1)
    assert (below.number, below.limits) == (9, (1.0, 100.0))


@pytest.mark.parametrize("average", NAMES)
@pytest.mark.parametrize("max_rounds", [0, 1, 2, None])
@pytest.mark.parametrize("size", [1, 2, 3, 10, 999, 4000])
def test_the_slow_version_states_the_same(average, max_rounds, size, rng):
    values = rng.normal(size=size) ** 3 + 500
    values[rng.random(size) < 0.05] = np.nan
    found = sample(values, NAMES[average], 1.83, -2.17, max_rounds)
    slow = slow_stack(values, average, plus=1.83, minus=2.17, max_iter=max_rounds)
    assert found.number == slow.kept.sum()
    if not slow.kept.any():
        assert np.isnan(found.average)
        return
    assert found.average == pytest.approx(slow.average, rel=1e-13)
    assert found.squared_deviations == pytest.approx(slow.squared_deviations, rel=1e-9, abs=1e-9)
    assert found.limits == (values[slow.kept].min(), values[slow.kept].max())
    assert found.rejecting == slow.rejecting


@given(
    st.lists(st.integers(-50, 50), min_size=1, max_size=40),
    st.sampled_from(sorted(NAMES, key=str)),
    st.sampled_from([0, 1, 3, None]),
)
def test_small_whole_numbers_and_their_ties_agree_with_the_slow_version(values, average, rounds):
    # thresholds that no ratio of small whole numbers lies upon
    found = sample(np.array(values, float), NAMES[average], np.sqrt(2.03), -np.pi / 2, rounds)
    slow = slow_stack(values, average, plus=np.sqrt(2.03), minus=np.pi / 2, max_iter=rounds)
    assert found.number == slow.kept.sum()
    assert found.average == pytest.approx(slow.average, abs=1e-12)
    assert found.squared_deviations == pytest.approx(slow.squared_deviations, abs=1e-9)


def test_what_is_not_finite_is_left_out():
    found = sample([np.nan, 1.0, np.inf, 3.0, -np.inf], upper=9, lower=-9)
    assert (found.average, found.squared_deviations, found.number) == (2.0, 2.0, 2)
    for values in ([], [np.nan, np.inf]):
        found = sample(values)
        assert np.isnan([found.average, found.squared_deviations]).all()
        assert (found.number, found.rejecting) == (0, False)


@pytest.mark.parametrize("value", [0.1, 1e30, -7.3, 65535.0])
@pytest.mark.parametrize("quantile", NAMES.values())
def test_equal_values_are_no_outliers_of_themselves(value, quantile):
    found = sample(np.full(12345, value), quantile, upper=1e-3, lower=-1e-3)
    assert found.number == 12345
    assert found.average == pytest.approx(value, rel=1e-15)


def test_a_small_scatter_about_a_large_mean_keeps_its_digits(rng):
    scatter = rng.normal(0, 1e-3, 10000)
    found = sample(1e7 + scatter, upper=100, lower=-100)
    exact = np.sum((scatter - scatter.mean()) ** 2)
    assert found.squared_deviations == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4", "f8"])
def test_any_numbers_are_averaged_in_double_precision(dtype):
    values = np.array([[1, 2, 4], [7, 0, 3]], dtype)
    assert sample(values).average == pytest.approx(17 / 6, rel=1e-15)
    assert sample(values, 0.5).average == 2.5


def test_the_values_are_untouched(rng):
    values = rng.normal(size=2000)
    before = values.copy()
    for quantile in NAMES.values():
        sample(values, quantile)
        sample(values[::2], quantile)
    np.testing.assert_array_equal(values, before)
