"""``photon_transfer_curve``: what is drawn of gain and read noise."""

import sys

import numpy as np
import pytest
import xarray as xr

import autowisp_xr as aw
from autowisp_xr import plot
from tests.steps.frames import text

GAIN, FLOOR = (1.5, 2.0), (25.0, 36.0)


def table(names=("A", "B"), off=0.0, **given):
    """A table of two channels whose points lie on the fit, but for what they are off."""
    number = len(names)
    signal = np.array([[100.0, 1e3, 1e4], [200.0, 2e3, np.nan]])[:number]
    gain, floor = (np.array(values)[:number] for values in (GAIN, FLOOR))
    variance = (floor[:, None] + signal / gain[:, None]) * (1 + off)
    of_channel = {
        "gain": gain,
        "gain_error": 0.01 * gain,
        "read_noise": gain * np.sqrt(floor),
        "read_noise_error": 0.02 * gain,
        "read_noise_adu": np.sqrt(floor),
    }
    points = {
        "signal": signal,
        "signal_variance": variance,
        "signal_variance_error": 0.01 * variance,
    }
    columns = {name: ("channel", values) for name, values in (of_channel | given).items()}
    columns |= {name: (("channel", "point"), values) for name, values in points.items()}
    return xr.Dataset(columns, {"channel": ("channel", text(*names))})


def drawn(figure):
    """Draw it, so that whatever matplotlib would warn of is an error."""
    figure.canvas.draw()
    return figure


def legend(figure):
    return [entry.get_text() for entry in figure.axes[0].get_legend().get_texts()]


def points(axes):
    return [bars[0].get_xydata() for bars in axes.containers]


def lines(axes):
    """Lines without markers: fits and levels."""
    return [line for line in axes.lines if line.get_marker() == "None"]


def test_each_channel_has_its_points_and_its_numbers():
    measured = table()
    figure = drawn(plot.photon_transfer_curve(measured))
    assert legend(figure) == [
        "A: gain 1.500 ± 0.015 e/ADU, read noise 7.500 ± 0.030 e",
        "B: gain 2.000 ± 0.020 e/ADU, read noise 12.000 ± 0.040 e",
    ]
    one, other = points(figure.axes[0])
    np.testing.assert_allclose(one[:, 0], measured["signal"][0])
    np.testing.assert_allclose(one[:, 1], measured["signal_variance"][0])
    assert len(other) == 2


def test_the_fit_is_read_noise_and_light():
    figure = drawn(plot.photon_transfer_curve(table(("A",))))
    fit, level = lines(figure.axes[0])
    signal, variance = fit.get_data()
    np.testing.assert_allclose(variance, FLOOR[0] + signal / GAIN[0])
    assert signal.max() == pytest.approx(1e4)
    # down to where light makes a tenth of the read noise
    assert signal.min() == pytest.approx(FLOOR[0] * GAIN[0] / 10)
    assert set(level.get_ydata()) == {FLOOR[0]}
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == "log"


def test_below_stands_how_far_points_are_off_in_per_cent():
    off = np.array([0.02, 0.0, -0.03])
    figure = drawn(plot.photon_transfer_curve(table(("A",), off=off)))
    np.testing.assert_allclose(points(figure.axes[1])[0][:, 1], 100 * off, atol=1e-12)
    assert figure.axes[1].get_xlabel() == "signal [ADU]"


def test_one_channel_can_be_chosen():
    figure = drawn(plot.photon_transfer_curve(table(), channel="B"))
    assert legend(figure) == ["B: gain 2.000 ± 0.020 e/ADU, read noise 12.000 ± 0.040 e"]
    with pytest.raises(ValueError, match="there is no channel 'C' among 2: A, B"):
        plot.photon_transfer_curve(table(), channel="C")


def test_a_single_channel_needs_no_name():
    assert legend(plot.photon_transfer_curve(table(("mono",))))[0].startswith("gain 1.500")


def test_a_camera_without_read_noise_has_no_level_of_it():
    measured = table(("A",), read_noise_adu=[0.0], read_noise=[0.0], read_noise_error=[0.0])
    figure = drawn(plot.photon_transfer_curve(measured))
    (fit,) = lines(figure.axes[0])
    np.testing.assert_allclose(fit.get_ydata(), fit.get_xdata() / GAIN[0])
    assert legend(figure)[0].endswith("read noise 0.000 ± 0.000 e")


def test_what_is_measured_can_be_drawn_and_is_left_as_it_is(tmp_path):
    night = aw.simulate.Night(shape=(128, 128), seed=1, channels="RGGB")
    measured = aw.measure.gain_and_read_noise(night.flat(8, level=20_000), night.bias(8))
    before = measured.copy(deep=True)
    figure = plot.photon_transfer_curve(measured)
    figure.savefig(tmp_path / "gain.png")
    assert (tmp_path / "gain.png").stat().st_size > 10_000
    assert [line.split(":")[0] for line in legend(figure)] == ["R", "G1", "G2", "B"]
    xr.testing.assert_identical(measured, before)


def test_what_is_no_such_table_is_refused():
    with pytest.raises(aw.SchemaError, match=r"gain, signal is missing .*gain_and_read_noise"):
        plot.photon_transfer_curve(table().drop_vars(["gain", "signal"]))


def test_without_matplotlib_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install '\.\[plot\]'"):
        plot.photon_transfer_curve(table())
