"""What a stack states of its contents: when it began and ended, how long, of how many frames."""

import numpy as np
import pytest

import autowisp_xr as aw
from tests.stack.test_stacking import column
from tests.steps.frames import text

TIMES = np.array(["2024-03-01T00:00", "2024-03-01T00:10", "2024-03-01T00:30"], "datetime64[ns]")
EXPOSURES = [30.0, 60.0, 120.0]


def seconds(time):
    return float((time - TIMES[0]) / np.timedelta64(1, "s"))


def three(**coords):
    frames = column(1.0, 2.0, 4.0, exposure=EXPOSURES, **coords)
    return frames.assign_coords(time=("frame", TIMES))


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        (None, [1, 1, 1]),
        ("exposure", EXPOSURES),
        ([1.0, 0.0, 3.0], [1, 0, 3]),
        (np.array([1.0, 2.0, 3.0])[:, None], [1, 2, 3]),
        (np.array([5.0, 1.0, 1.0])[:, None, None, None], [5, 1, 1]),
    ],
)
def test_time_and_exposure_are_averaged_with_the_weights_of_the_pixels(weights, shares):
    stack = aw.stack(three(), "mean", weights=weights)
    assert seconds(stack["time"].values) == pytest.approx(
        np.average([0, 600, 1800], weights=shares)
    )
    assert float(stack["exposure"]) == pytest.approx(np.average(EXPOSURES, weights=shares))


def test_the_variances_that_weigh_the_pixels_weigh_the_times():
    frames = three()
    frames["variance"] = frames["image"] * 0 + np.array([1.0, 4.0, 2.0])[:, None, None, None]
    stack = aw.stack(frames, "mean", weights="variance")
    expected = np.average([0, 600, 1800], weights=[4, 1, 2])
    assert seconds(stack["time"].values) == pytest.approx(expected)


def test_what_weights_that_are_not_computed_make_is_not_known_yet():
    frames = three().chunk(frame=1)
    frames["variance"] = frames["image"]
    stack = aw.stack(frames.assign_coords(temperature=-10.0), "mean", weights="variance")
    assert np.isnat(stack["time"].values)
    assert np.isnan(stack["exposure"])
    assert float(stack["temperature"]) == -10.0
    assert float(stack["total_exposure"]) == 210.0


def test_a_stack_gives_its_ends_and_its_total_exposure():
    stack = aw.stack(three(), "mean")
    assert seconds(stack["time_start"].values) == -15.0
    assert seconds(stack["time_end"].values) == 1860.0
    assert float(stack["total_exposure"]) == 210.0
    assert int(stack["combined"]) == 3


def test_a_frame_without_weight_is_not_in_the_stack():
    stack = aw.stack(three(), "mean", weights=[1.0, 1.0, 0.0])
    assert seconds(stack["time_end"].values) == 630.0
    assert float(stack["total_exposure"]) == 90.0
    assert int(stack["combined"]) == 2


def test_what_is_not_known_of_a_frame_is_not_known_of_the_stack():
    frames = column(1.0, 2.0, exposure=[30.0, np.nan]).assign_coords(time=("frame", TIMES[:2]))
    stack = aw.stack(frames, "mean")
    assert np.isnat(stack["time_start"].values)
    assert np.isnan(stack["total_exposure"])
    assert int(stack["combined"]) == 2


def test_a_stack_among_the_frames_counts_by_what_went_into_it():
    one, two = aw.stack(three(), "mean"), aw.stack(three().isel(frame=[0, 2]), "mean")
    frames = column(1.0, 2.0, exposure=[70.0, 75.0]).assign_coords(
        {
            name: ("frame", np.array([part[name].values for part in (one, two)]))
            for name in ("time", "time_start", "time_end", "total_exposure", "combined")
        },
    )
    stack = aw.stack(frames, "mean")
    assert seconds(stack["time_start"].values) == -15.0
    assert seconds(stack["time_end"].values) == 1860.0
    assert float(stack["total_exposure"]) == 360.0
    assert int(stack["combined"]) == 5


def test_directions_on_both_sides_of_the_first_meridian_have_their_middle_there():
    frames = column(1.0, 2.0).assign_coords(ra=("frame", [359.0, 2.0]), object="M42")
    assert float(aw.stack(frames, "mean")["ra"]) == pytest.approx(0.5)


def test_units_of_coordinates_stay():
    frames = column(1.0, 2.0).assign_coords(temperature=("frame", [-10.0, -10.2], {"units": "C"}))
    stack = aw.stack(frames.assign_coords(filter=("frame", text("V", "V"))), "mean")
    assert stack["temperature"].attrs == {"units": "C"}
