"""``Linearity``: its curve, what it takes, and its way to text and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autowisp_xr import Amplifier, CalibrationError, Camera, Linearity

BENT = Linearity(
    coefficients=[1e-6, -5e-12], covariance=[[4e-14, -1e-18], [-1e-18, 1e-22]], limit=50_000
)


def test_the_curve_by_hand_and_the_straight_line_beyond_it():
    assert BENT.linear(1e4) == pytest.approx(1e4 + 1e2 - 5)
    assert BENT.slope(1e4) == pytest.approx(1 + 0.02 - 0.0015)
    edge = 5e4 + 2.5e3 - 625
    assert BENT.linear([5e4, 6e4]).tolist() == pytest.approx([edge, edge + 1e4 * BENT.slope(5e4)])
    variance = 4e-14 * 1e16 - 2e-18 * 1e20 + 1e-22 * 1e24
    assert BENT.error(1e4) == pytest.approx(np.sqrt(variance))
    assert Linearity(coefficients=1e-6).error([1.0, 2.0]).tolist() == [0, 0]


curves = st.builds(
    lambda c2, c3: Linearity(coefficients=[c2, c3], limit=5e4),
    st.floats(-4e-6, 1e-5),
    st.floats(-2e-11, 1e-10),
)


@given(curves, st.lists(st.floats(0, 1e5), min_size=2, max_size=8))
def test_more_signal_is_more_light_and_comes_back_from_it(curve, signals):
    signals = np.unique(np.round(signals, 3))
    light = curve.linear(signals)
    assert (np.diff(light) > 0).all()
    np.testing.assert_allclose(curve.signal(light), signals, rtol=1e-9, atol=1e-6)


def test_curves_that_turn_back_and_covariances_that_are_none_are_refused():
    with pytest.raises(CalibrationError, match=r"turns back below its limit of 60000 ADU"):
        Linearity(coefficients=[-1e-5], limit=60_000)
    assert Linearity(coefficients=[-1e-5], limit=40_000)
    for wrong in ([[1e-14]], [[1, 2], ["a", 4]], [[1, 2, 3], [4, 5, 6]]):
        with pytest.raises(CalibrationError, match="is a table of 2 x 2 numbers"):
            Linearity(coefficients=[1e-6, 1e-11], covariance=wrong)
    for none in ([[1e-14, 1e-18], [0, 1e-22]], [[1e-14, 2e-18], [2e-18, 1e-22]]):
        with pytest.raises(CalibrationError, match="not symmetric, or gives a negative variance"):
            Linearity(coefficients=[1e-6, 1e-11], covariance=none)
    with pytest.raises(CalibrationError, match="has no slope; it has coefficients"):
        Camera(linearity={"coefficients": [1e-6], "slope": 2})
    with pytest.raises(CalibrationError, match="limit of the linearity must be"):
        Linearity(coefficients=[1e-6], limit=-1)


def test_a_camera_and_its_amplifiers_keep_it_as_text(tmp_path):
    halves = [Amplifier(region="[1:8,1:9]", linearity=BENT), "[9:16,1:9]"]
    for camera in (
        Camera(linearity=BENT),
        Camera(amplifiers=halves, linearity=[1e-6]),
        Camera(channels="RGGB", linearity=dict.fromkeys(("R", "G1", "G2", "B"), BENT)),
    ):
        assert Camera.from_json(camera.to_json()) == camera
        (tmp_path / "camera.toml").write_text(camera.to_toml(), encoding="utf-8")
        assert Camera.from_toml(tmp_path / "camera.toml") == camera
        assert camera.bends
    camera = Camera(amplifiers=halves, linearity=[1e-6])
    both = camera.linearities_of("mono")
    assert both == [BENT, Linearity(coefficients=[1e-6]), Linearity(coefficients=[1e-6])]
    assert camera.of_amplifier(0).linearity == BENT
    assert camera.of_amplifier(1).linearity == Linearity(coefficients=[1e-6])
    with pytest.raises(CalibrationError, match="linearity is given for channels"):
        Camera(
            channels="RGGB",
            amplifiers=halves,
            linearity=dict.fromkeys(("R", "G1", "G2", "B"), BENT),
        )
