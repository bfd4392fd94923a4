"""Pictures of how many values a stack has rejected."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import autowisp_xr as aw
from autowisp_xr import MinMax, SchemaError, SigmaClip, plot
from tests.steps.frames import TWO_CHANNELS, frame_set


@pytest.fixture
def stack(rng):
    values = rng.uniform(90, 110, (9, 1, 40, 60)).astype("f4")
    values[3, 0, 20], values[5, 0, 20] = 900, 900
    values[4, 0, :, 7] = -900
    clip = SigmaClip(20, scale="mad", about="median")
    return aw.stack(frame_set(values), "mean", reject=clip, rejected=True)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def maps(axes):
    FigureCanvasAgg(axes[0].figure if axes.ndim == 1 else axes[0, 0].figure).draw()
    return list(axes.flat)


def test_numbers_below_and_above_are_drawn_with_their_sums(stack):
    _, low, high = maps(plot.stack(stack))
    assert low.get_title() == "rejected below\n40 values, in 1.7 % of the pixels"
    assert high.get_title() == "rejected above\n120 values, in 2.5 % of the pixels"
    for axes, name in ((low, "rejected_low"), (high, "rejected_high")):
        np.testing.assert_array_equal(axes.images[0].get_array(), stack[name][0])
        assert axes.images[0].get_clim() == (0, stack[name].max())


def test_one_rejected_value_is_seen_among_many_pixels(stack):
    plane = stack["rejected_high"] * 0
    plane[0, 11, 13] = 1
    high = maps(plot.stack(stack.assign(rejected_high=plane.astype("u2")), size=0.1))[2]
    shown = high.images[0].get_array()
    assert shown.size < plane.size / 4
    assert shown.max() == 1


def test_each_channel_has_a_row_and_one_can_be_chosen(rng):
    camera = aw.Camera(channels=TWO_CHANNELS)
    frames = frame_set(rng.normal(100, 10, (5, 2, 6, 8)), camera=camera)
    stack = aw.stack(frames.chunk(y=3), "mean", reject=MinMax(), rejected=True)
    titles = [axes.get_title().split("\n")[0] for axes in maps(plot.stack(stack))]
    assert titles == [
        f"{channel}: {what}"
        for channel in "AB"
        for what in ("averaged", "rejected below", "rejected above")
    ]
    assert len(maps(plot.stack(stack, "B"))) == 3
    with pytest.raises(ValueError, match="'G'"):
        plot.stack(stack, "G")


def test_a_stack_that_was_written_is_drawn_as_well(stack, tmp_path):
    back = aw.open_fits(aw.to_fits(stack, tmp_path / "deep.fits"))
    axes = plot.stack(back)
    assert axes[0].figure.get_suptitle().startswith("deep: values of a pixel")
    assert maps(axes)[2].get_title().startswith("rejected above\n120 values")


def test_where_nothing_was_rejected_there_is_a_picture_too(stack):
    none = stack.assign(rejected_low=stack["rejected_low"] * np.uint16(0))
    assert maps(plot.stack(none))[1].get_title() == "rejected below\n0 values, in 0 % of the pixels"


def test_a_stack_that_has_not_counted_is_refused(stack):
    with pytest.raises(SchemaError, match=r"no count of values.*rejected=True"):
        plot.stack(stack.drop_vars(["count", "rejected_low", "rejected_high"]))
