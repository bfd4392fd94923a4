"""``plot.defects``: a map, and how many pixels have which numbers."""

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import plot
from autowisp_xr.errors import SchemaError


@pytest.fixture(scope="module")
def found():
    night = aw.simulate.Night(shape=(48, 64), seed=1, hot_pixels=0.01)
    return aw.measure.defects(darks=night.dark(4), biases=night.bias(4), camera=night.camera)


def test_pixels_have_the_colour_of_their_first_reason(found):
    one = found.copy(deep=True)
    one["reason"].values[...] = 0
    one["reason"].values[0, 3, 4] = aw.measure.Defect.HOT | aw.measure.Defect.UNSTABLE
    one["reason"].values[0, 5, 6:8] = aw.measure.Defect.HOT
    figure = plot.defects(one)
    figure.canvas.draw()
    where, scatter, rate = figure.axes
    assert [line.get_label() for line in where.lines] == ["unstable: 1", "hot: 2"]
    assert where.lines[0].get_xydata().tolist() == [[4, 3]]
    assert scatter.get_xlabel() == "scatter by what is expected"
    assert rate.get_xlabel() == "dark current [ADU/s]"


def test_what_is_found_can_be_drawn_and_stays_as_it_is(found):
    before = found.copy(deep=True)
    plot.defects(found, channel="mono").canvas.draw()
    plot.defects(found.assign(reason=found["reason"] * np.uint8(0))).canvas.draw()
    xr.testing.assert_identical(found, before)


def test_what_are_no_defects_is_refused(found):
    with pytest.raises(SchemaError, match=r"reason is missing .* aw\.measure\.defects returns"):
        plot.defects(found.drop_vars("reason"))
    with pytest.raises(ValueError, match="no channel 'R'"):
        plot.defects(found, channel="R")
