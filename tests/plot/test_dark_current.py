"""``plot.dark_current``: ladder, pixels and growth."""

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import plot
from autowisp_xr.errors import SchemaError
from tests.steps.frames import text


def table(temperatures=(-10.0, 0.0), doubling=7.0):
    """Two darks a temperature, whose levels lie on the line; a map of four pixels each."""
    number = len(temperatures)
    rate = 0.1 * 2.0 ** (np.arange(number) * 10 / 7.0)
    image = rate[:, None, None, None] * np.ones((1, 1, 2, 2))
    of_channel = {"doubling": doubling, "doubling_error": 0.1, "doubling_at": -5.0}
    of_channel |= {"energy": 1.08, "energy_error": 0.02}
    seconds = np.tile([60.0, 300.0], number)
    columns = {
        "current": (("temperature", "channel"), rate[:, None], {"units": "electron/s"}),
        "current_error": (("temperature", "channel"), 0.01 * rate[:, None]),
        "darks": ("temperature", [2] * number),
        "level": (("dark", "channel"), (np.repeat(rate, 2) * seconds)[:, None]),
        "image": (("temperature", "channel", "y", "x"), image),
        **{name: ("channel", [value]) for name, value in of_channel.items()},
    }
    coords = {"temperature": list(temperatures), "channel": text("mono")}
    return xr.Dataset(columns, coords | {"exposure": ("dark", seconds)})


def test_ladder_pixels_and_growth_stand_side_by_side():
    figure = plot.dark_current(table())
    figure.canvas.draw()
    ladder, pixels, growth = figure.axes
    assert [line.get_label() for line in ladder.lines[1::2]] == ["-10.0 °C: 0.1", "0.0 °C: 0.269"]
    assert ladder.lines[1].get_ydata().tolist() == pytest.approx([0, 30])
    assert pixels.get_xlabel() == "rate [electron/s]"
    assert growth.get_legend().get_texts()[0].get_text() == "doubles within 7.00 ± 0.10 K"


def test_of_one_temperature_nothing_is_drawn_of_growth():
    assert len(plot.dark_current(table((np.nan,), np.nan)).axes) == 2
    figure = plot.dark_current(table(doubling=np.nan))
    assert figure.axes[2].get_legend() is None


def test_what_is_measured_can_be_drawn():
    night = aw.simulate.Night(shape=(32, 32), seed=1)
    measured = aw.measure.dark_current(night.dark(2), night.bias(2))
    before = measured.copy(deep=True)
    plot.dark_current(measured, channel="mono").canvas.draw()
    xr.testing.assert_identical(measured, before)


def test_what_is_no_such_table_is_refused():
    with pytest.raises(SchemaError, match=r"level is missing .* aw\.measure\.dark_current returns"):
        plot.dark_current(table().drop_vars("level"))
    with pytest.raises(ValueError, match="no channel 'R'"):
        plot.dark_current(table(), channel="R")
