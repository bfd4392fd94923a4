from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from autowisp_xr import CalibrationError, FlatSelection
from autowisp_xr.flats.options import level_of
from autowisp_xr.image_smoothing import PolynomialImageSmoother


def test_a_selection_is_a_value():
    selection = FlatSelection(min_high_mean=9e3)
    assert selection.min_high_mean == 9e3
    with pytest.raises(FrozenInstanceError):
        selection.min_high_mean = 1.0
    with pytest.raises(TypeError, match="positional"):
        FlatSelection(0.5)
    with pytest.raises(TypeError, match="min_hihg_mean"):
        FlatSelection(min_hihg_mean=1.0)


@pytest.mark.parametrize("value", [0, -0.5, 1.1, np.nan, "half", None])
def test_a_stamp_that_is_no_part_of_the_frame_is_refused(value):
    with pytest.raises(ValueError, match="fraction is more than 0 and at most 1, not "):
        FlatSelection(fraction=value)


def test_the_whole_frame_may_be_the_stamp():
    assert FlatSelection(fraction=1).fraction == 1


@pytest.mark.parametrize("value", ["mode", 0.5, None])
def test_an_average_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match="average is 'mean' or 'median', not "):
        FlatSelection(average=value)


@pytest.mark.parametrize("name", ["outlier_threshold", "var_mean_fit_threshold"])
@pytest.mark.parametrize("value", [0, np.inf, (1, 2), (-3, -2), (1, -2, 3)])
def test_impossible_rejection_thresholds_are_refused(name, value):
    with pytest.raises(ValueError, match="a rejection threshold is a finite number other than"):
        FlatSelection(**{name: value})


@pytest.mark.parametrize("name", ["smoother", "large_scale_smoother", "cloud_check_smoother"])
def test_what_is_no_smoother_is_refused(name):
    with pytest.raises(TypeError, match=f"{name} is a smoother of image_smoothing or None, not "):
        FlatSelection(**{name: np.median})
    assert getattr(FlatSelection(**{name: None}), name) is None
    smoother = PolynomialImageSmoother(num_x_terms=2, num_y_terms=2)
    assert getattr(FlatSelection(**{name: smoother}), name) is smoother


@pytest.mark.parametrize("name", ["max_iter", "var_mean_fit_iterations"])
@pytest.mark.parametrize("value", [-1, 1.5, np.nan, "3", True])
def test_rounds_that_are_no_number_of_rounds_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is a whole number from 0 on, or None, not "):
        FlatSelection(**{name: value})


@pytest.mark.parametrize("name", ["max_iter", "var_mean_fit_iterations"])
@pytest.mark.parametrize("value", [0, 3, np.inf, None, np.int64(2)])
def test_rounds_may_be_any_whole_number_or_without_end(name, value):
    assert getattr(FlatSelection(**{name: value}), name) == value


LIMITS = (
    "max_saturated_fraction",
    "cloudy_night_threshold",
    "cloudy_frame_threshold",
    "cloudy_frame_significance",
    "min_pointing_separation",
    "large_scale_deviation_threshold",
)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [-1e-9, np.nan, "much", True, [1.0]])
def test_limits_that_are_no_number_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is a number from 0 on, or None, not "):
        FlatSelection(**{name: value})


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [0, 0.5, None, np.float32(1.0)])
def test_limits_may_be_any_number_from_zero_on_or_none(name, value):
    assert getattr(FlatSelection(**{name: value}), name) == value


@pytest.mark.parametrize("name", ["min_high_frames", "min_low_frames"])
@pytest.mark.parametrize("value", [0, -3, 2.5, None, True, "5"])
def test_numbers_of_frames_that_are_none_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is a whole number from 1 on, not "):
        FlatSelection(**{name: value})


def test_levels_that_would_make_a_frame_both_high_and_low_are_refused():
    with pytest.raises(ValueError, match="min_high_mean 2000 is below max_low_mean 3000: frames"):
        FlatSelection(min_high_mean=2e3, max_low_mean=3e3)
    with pytest.raises(ValueError, match="of the channel R: frames between them"):
        FlatSelection(min_high_mean={"G1": 9e3, "R": 2e3}, max_low_mean={"G1": 1e3, "R": 3e3})
    assert FlatSelection(min_high_mean=3e3, max_low_mean=3e3).max_low_mean == 3e3


def test_one_number_for_all_is_held_against_those_of_each_channel():
    with pytest.raises(ValueError, match="min_high_mean 2000 is below max_low_mean 3000 of the"):
        FlatSelection(min_high_mean={"R": 2e3}, max_low_mean=3e3)


@pytest.mark.parametrize("name", ["min_high_mean", "max_low_mean"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_levels_that_are_not_finite_are_refused(name, value):
    for given in (value, {"R": value}):
        with pytest.raises(ValueError, match=f"{name} is a number of ADU, one for each"):
            FlatSelection(**{"min_high_mean": None, "max_low_mean": None, name: given})


@pytest.mark.parametrize("name", ["min_high_mean", "max_low_mean"])
@pytest.mark.parametrize("value", ["bright", True, {"R": "bright"}, [6e3]])
def test_levels_that_are_no_numbers_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is a number of ADU, one for each channel, or N"):
        FlatSelection(**{"min_high_mean": None, "max_low_mean": None, name: value})


@pytest.mark.parametrize("value", [None, 1, "yes"])
def test_channels_choose_together_or_not(value):
    with pytest.raises(ValueError, match="together is True or False, not "):
        FlatSelection(together=value)


def test_how_many_frames_masters_need():
    assert FlatSelection(min_high_frames=7, min_low_frames=3).fewest == {"high": 7, "low": 3}


def test_the_level_of_a_channel():
    assert level_of(None, "R") is None
    assert level_of(5, "R") == 5.0
    assert level_of(5, None) == 5.0
    assert level_of({"R": 4}, "R") == 4.0
    assert level_of({"R": 4}, "B") is None
    assert level_of({"R": 4}, None) is None


def test_a_dome_has_neither_pointings_nor_levels():
    dome = FlatSelection.dome(min_high_frames=7)
    assert (dome.min_pointing_separation, dome.min_high_mean, dome.max_low_mean) == (None,) * 3
    assert dome.min_high_frames == 7
    assert dome.max_saturated_fraction == FlatSelection().max_saturated_fraction
    assert FlatSelection.dome(min_high_mean=1e4).min_high_mean == 1e4
    with pytest.raises(TypeError, match="threshold"):
        FlatSelection.dome(threshold=1)


# ---------------------------------------------------------------------- from_toml


def in_toml(tmp_path, text):
    path = tmp_path / "flats.toml"
    path.write_text(text)
    return path


def test_limits_are_read_from_toml(tmp_path):
    path = in_toml(
        tmp_path,
        """
        fraction = 0.25
        outlier_threshold = [4, -3]
        cloudy_frame_threshold = "none"
        max_low_mean = {R = 1000, G1 = 2000}
        together = false
        """,
    )
    selection = FlatSelection.from_toml(path)
    assert selection.fraction == 0.25
    assert selection.outlier_threshold == (4, -3)
    assert selection.cloudy_frame_threshold is None
    assert selection.max_low_mean == {"R": 1000, "G1": 2000}
    assert selection.together is False
    assert selection.min_high_mean == FlatSelection().min_high_mean


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fraction = = 1", "is not valid TOML"),
        ("min_hihg_mean = 1", "'min_hihg_mean' is no limit of a selection of flats; there are fr"),
        ('smoother = "none"', "'smoother' is no limit of a selection"),
        ("fraction = 2", "fraction is more than 0 and at most 1, not 2"),
        ("max_iter = -1", "max_iter is a whole number from 0 on, or None, not -1"),
    ],
)
def test_toml_that_is_no_selection_is_refused_with_its_name(tmp_path, text, message):
    path = in_toml(tmp_path, text)
    with pytest.raises(CalibrationError, match=message) as refused:
        FlatSelection.from_toml(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("given", [{"large_scale_reject": 4}, {"max_saturated_fraction": 3}])
def test_what_could_never_be_meant_is_refused(given):
    (name,) = given
    with pytest.raises((TypeError, ValueError), match=name):
        FlatSelection(**given)
