"""The step and the noise of frames, from their differences."""

import numpy as np
import pytest

from autowisp_xr.stats.quantisation import digitisation_of

SHAPE = (2, 1, 80, 120)


def rounded(rng, noise, shape=SHAPE):
    return np.rint(1000 + rng.random(shape[1:]) + rng.normal(0, noise, shape))


@pytest.mark.parametrize("noise", [0.1, 0.3, 0.5, 1.5, 5.0])
@pytest.mark.parametrize("step", [1.0, 4.0, 16.0, 0.5, 0.37, 1 / 65535])
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_the_step_is_found_in_any_unit(kind, step, noise, rng):
    found = digitisation_of((step * rounded(rng, noise)).astype(kind))
    assert found.step == pytest.approx(step, rel=1e-3)
    assert found.smooth == pytest.approx(noise, rel=0.05)


@pytest.mark.parametrize("noise", [0.5, 1.5, 40.0])
def test_the_noise_is_that_of_the_values(noise, rng):
    found = digitisation_of(rounded(rng, noise).astype("u2"))
    assert found.noise == pytest.approx(np.sqrt(noise**2 + 1 / 12), rel=0.03)


def test_what_pixels_and_frames_differ_by_is_nothing_to_it(rng):
    """A bias that was subtracted, an overscan level of each row, a camera that mended pixels."""
    values = 4 * rounded(rng, 0.8)
    values[0, 0, ::7, ::40] += 1
    values[1, 0, 5, 9] = 65535
    values = values - rng.normal(1000, 1, SHAPE[1:]) - rng.normal(0, 1, (*SHAPE[:3], 1))
    found = digitisation_of(values.astype("f4"))
    assert found.step == pytest.approx(4, rel=1e-3)
    assert found.noise == pytest.approx(4 * np.sqrt(0.8**2 + 1 / 12), rel=0.03)


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_bad_frame_of_three_is_not_what_the_noise_is(bad, rng):
    values = rounded(rng, 2.0, (3, *SHAPE[1:]))
    values[bad] += np.rint(rng.normal(0, 40, SHAPE[1:]))
    found = digitisation_of(values.astype("f4"))
    assert found.step == 1.0
    assert found.noise == pytest.approx(np.sqrt(2.0**2 + 1 / 12), rel=0.03)


def test_frames_of_unlike_light_are_no_bad_frames(rng):
    noise = np.array([1.0, 0.47, 0.22])
    values = rng.normal(1000, noise[:, None, None, None], (3, *SHAPE[1:])).astype("f4")
    assert digitisation_of(values).noise == pytest.approx(np.sqrt((noise**2).mean()), rel=0.05)


def test_values_of_any_fraction_have_no_step(rng):
    for values in (rng.normal(1000, 2, SHAPE), rounded(rng, 2.0) / rng.normal(1, 0.1, SHAPE[1:])):
        found = digitisation_of(values.astype("f4"))
        assert (found.step, found.smooth) == (0.0, np.inf)
        assert found.noise == pytest.approx(2, rel=0.05)


def test_too_few_differences_state_nothing_but_what_the_type_states():
    assert digitisation_of(np.array([[[1.0, 5.0]], [[3.0, 5.0]]]))[::2] == (0.0, np.inf)
    assert digitisation_of(np.array([[[1, 5]], [[3, 5]]], "u2"))[::2] == (1.0, np.inf)
    assert digitisation_of(np.array([[[1]], [[3]], [[2]]], "u2")).noise > 0
    assert digitisation_of(np.full((2, 1, 3), np.nan, "f4")) == (0.0, 0.0, np.inf)


def test_pixels_that_are_bad_in_one_frame_hide_no_step(rng):
    values = rounded(rng, 1.5, (5, *SHAPE[1:]))
    values[2, ..., ::2] = 1e6
    bad = values == 1e6
    for found in (digitisation_of(values.astype("f4")), digitisation_of(values.astype("f4"), bad)):
        assert found.step == 1
    assert found.noise == pytest.approx(np.sqrt(1.5**2 + 1 / 12), rel=0.03)


def test_frames_less_levels_of_their_own_have_a_step_and_no_rounding_in_common(rng):
    values = np.rint(rng.normal(1000, 0.8, (3, 5, 2000))) - rng.random((5, 2000))
    for levels, alike in (((0.0, 3.0, -7.0), True), ((0.0, 3.3, 0.0), False)):
        shifted = (values + np.reshape(levels, (3, 1, 1))).astype("f4")
        # a pixel that is bad in a frame, and one that is none, state nothing
        shifted[1, 2, 3], shifted[2, 1] = 77.77, np.nan
        found = digitisation_of(shifted)
        assert found.step == pytest.approx(1, rel=1e-3)
        assert np.isfinite(found.smooth) == alike
