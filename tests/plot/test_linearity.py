"""The picture of a linearity."""

import pytest

import autowisp_xr as aw
from autowisp_xr.measure import linearity
from tests.measure.bent_sensor import LADDER, BentSensor


@pytest.fixture(scope="module")
def measured():
    sensor = BentSensor(1, (32, 48), full_well=33_000)
    return linearity(sensor.flats((*LADDER, 50.0)), lamp="steady")


def test_the_picture_shows_curve_limit_full_well_and_what_took_no_part(measured):
    figure = aw.plot.linearity(measured)
    above, middle, below = figure.axes
    labels = [text.get_text() for text in above.get_legend().get_texts()]
    assert labels[0].startswith("bends by ")
    assert labels[1].startswith("full well 33")
    limit = measured["limit"].item()
    assert f"up to {limit:.0f} ADU" in labels[0]
    used, others = above.lines[0], above.lines[1]
    assert len(used.get_xdata()) == measured["used"].values.sum()
    assert len(others.get_xdata()) == (~measured["used"].values).sum()
    assert others.get_markerfacecolor() == "none"
    # saturated flats do not hide what the curve is off
    assert max(map(abs, middle.get_ylim())) < 20
    assert max(map(abs, below.get_ylim())) < 3


def test_other_tables_and_channels_are_refused(measured):
    with pytest.raises(aw.SchemaError, match="signal is missing among"):
        aw.plot.linearity(measured.drop_vars("signal"))
    with pytest.raises(ValueError, match="channel"):
        aw.plot.linearity(measured, channel="R")
