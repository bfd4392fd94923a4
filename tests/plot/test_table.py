import numpy as np
import pytest

from autowisp_xr.plot.table import FlatTable
from tests.plot.tables import table


@pytest.mark.parametrize(
    ("name", "test", "reason"),
    [
        ("a", "", "high: because, and so and so and so and so and so and so …"),
        ("e", "distance", "cloudy: 20 residuals from the fit"),
        ("f", "deviation", "cloudy: 8 % left after matching"),
        ("g", "saturated_fraction", "saturated: 25 % of its stamp"),
    ],
)
def test_the_numbers_state_which_test_rejected_a_frame(name, test, reason):
    one = FlatTable.of(table())
    assert one.decided_by(name) == test
    assert one.reason_in_short(name) == reason


def test_a_frame_on_the_wrong_side_of_the_fit_is_as_far_from_it():
    off = [0, 0, 0, 0, -20.0, 0, 0, 0]
    assert FlatTable.of(table(off=off)).reason_in_short("e") == "cloudy: 20 residuals from the fit"


def test_on_a_cloudy_night_no_frame_was_looked_at_for_itself():
    one = FlatTable.of(table(cloudy_night_threshold=39.0))
    assert one.cloudy_night
    assert [one.reason_in_short(name) for name in "ef"] == ["cloudy: all night"] * 2
    assert one.reason_in_short("g") == "saturated: 25 % of its stamp"


def test_tests_that_were_switched_off_rejected_nothing():
    off = {"cloudy_frame_threshold": None, "large_scale_deviation_threshold": None}
    one = FlatTable.of(table(**off))
    assert [one.decided_by(name) for name in "ef"] == ["", ""]


def test_a_channel_that_has_no_fault_names_the_one_that_has():
    frames = table(channels=("R", "G"))
    frames["variance"][4, 0] = frames["predicted_variance"][4, 0]
    assert FlatTable.of(frames, "R").reason_in_short("e") == (
        "cloudy in G: 20 residuals from the fit"
    )
    assert FlatTable.of(frames, "G").reason_in_short("e") == "cloudy: 20 residuals from the fit"


def test_channels_that_choose_apart_do_not_answer_for_each_other():
    frames = table(channels=("R", "G"))
    for name in ("class", "reason"):
        frames[name] = frames[name].expand_dims(channel=frames["channel"], axis=1)
    frames["variance"][4, 0] = frames["predicted_variance"][4, 0]
    assert FlatTable.of(frames, "R").reason_in_short("e").startswith("cloudy: because")


def test_limits_may_differ_between_channels():
    frames = table(channels=("R", "G"), min_high_mean={"G": 9e3})
    assert FlatTable.of(frames, "G").limits["min_high_mean"] == 9e3
    assert "min_high_mean" not in FlatTable.of(frames, "R").limits


def test_what_a_table_does_not_state_is_nan():
    one = FlatTable.of(table()[["class", "reason", "mean"]])
    for column in (one.variance, one.predicted, one.deviation, one.distance, one.coefficients):
        assert np.isnan(column).all()
    assert np.isnan(one.residual)


def test_frames_that_lie_exactly_on_their_fit_have_no_distance_from_it():
    assert np.isnan(FlatTable.of(table(residual=0.0)).distance).all()
