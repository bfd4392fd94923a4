"""Crosstalk that was put into frames, measured; nothing of ``autowisp_xr.simulate`` is in them."""

import numpy as np
import pytest

import autowisp_xr as aw
from autowisp_xr import Amplifier, Camera, measure
from tests.steps.frames import frame_set

SIDE = (80, 100)
GAIN, READ, FULL = 2.0, 6.0, 60_000
TRUE = np.array([[0, 3e-3, 1e-3, 0], [-2e-3, 0, 5e-4, 1e-3], [0, 4e-3, 0, 2e-3], [1e-3, 0, 0, 0]])
CORNERS = ("xmin ymin", "xmax ymin", "xmin ymax", "xmax ymax")


def camera(**more):
    height, width = SIDE
    amplifiers = [
        Amplifier(
            region={
                "xmin": width * (number % 2), "xmax": width * (number % 2 + 1),
                "ymin": height * (number // 2), "ymax": height * (number // 2 + 1),
            },
            corner=corner,
        )
        for number, corner in enumerate(CORNERS)
    ]  # fmt: skip
    return Camera(amplifiers=amplifiers, saturation=FULL, bias_level=1000.0, **more)


def frames(rng, number):
    """Raw frames of four amplifiers, with stars up to saturation and a sky that slopes."""
    height, width = SIDE
    y, x = np.indices((15, 15)) - 7
    profile = np.exp(-(x**2 + y**2) / 2 / 1.8**2)
    images = []
    for _ in range(number):
        light = np.full((4, height, width), 300.0) * np.linspace(0.9, 1.1, width)
        for one in light:
            for _ in range(6):
                row, column = rng.integers(7, height - 8), rng.integers(7, width - 8)
                star = min(rng.pareto(0.7) * 1500, 90_000) * profile
                one[row - 7 : row + 8, column - 7 : column + 8] += star
        seen = np.minimum(rng.poisson(light * GAIN) / GAIN, FULL)
        read = seen + np.tensordot(TRUE, seen, 1) + rng.normal(0, READ / GAIN, seen.shape)
        # counted from the corner of each, as it lies in the frame
        placed = [read[0], read[1][:, ::-1], read[2][::-1], read[3][::-1, ::-1]]
        images.append(np.vstack([np.hstack(placed[:2]), np.hstack(placed[2:])]))
    image = np.clip(np.round(np.array(images) + 1000), 0, 65535).astype("u2")
    return frame_set(image[:, None], camera=camera())


@pytest.fixture(scope="module")
def measured():
    raw = frames(np.random.default_rng(4), 12)
    return raw, measure.crosstalk(raw)


def test_crosstalk_is_found_to_its_uncertainty(measured):
    _, found = measured
    apart = ~np.eye(4, dtype=bool)
    uncertainty = found["uncertainty"].values[apart]
    pulls = (found["crosstalk"].values - TRUE)[apart] / uncertainty
    assert np.abs(pulls).max() < 4
    assert np.std(pulls) == pytest.approx(1, abs=0.5)
    assert uncertainty.max() < 2e-4
    assert (found["crosstalk"].values[~apart] == 0).all()
    assert (found["bright"].values[apart] > 200).all()


def test_what_is_measured_takes_the_ghosts_off(measured):
    raw, found = measured
    known = camera(crosstalk=found["crosstalk"].values, gain=GAIN, read_noise=READ)
    again = aw.calibrate(raw, camera=known)
    assert (
        again.autowisp.history()[-1]["options"]["crosstalk"] == found["crosstalk"].values.tolist()
    )
    without = aw.calibrate(raw, camera=camera(gain=GAIN, read_noise=READ))
    # pixels of the second that are read with bright ones of the first
    bright = raw["image"].values[:, 0, : SIDE[0], : SIDE[1]][:, :, ::-1]
    chosen = (bright > 20_000) & (bright < 55_000)

    def ghosts(ds):
        return np.median(ds["image"].values[:, 0, : SIDE[0], SIDE[1] :][chosen])

    sky = np.median(without["image"].values[:, 0, : SIDE[0], SIDE[1] :])
    assert ghosts(without) < sky - 30
    assert ghosts(again) == pytest.approx(sky, abs=8)


def test_frames_without_bright_pixels_show_nothing():
    rng = np.random.default_rng(2)
    flat = rng.normal(1300, 10, (2, 1, 160, 200)).round().astype("u2")
    found = measure.crosstalk(frame_set(flat, camera=camera()))
    assert np.isnan(found["crosstalk"].values[~np.eye(4, dtype=bool)]).all()


def test_a_camera_that_does_not_state_where_amplifiers_begin_is_refused(measured):
    raw, _ = measured
    halves = Camera(amplifiers=["[1:100,1:160]", "[101:200,1:160]"])
    with pytest.raises(aw.CalibrationError, match="nobody states it"):
        measure.crosstalk(raw, camera=halves)
    with pytest.raises(aw.CalibrationError, match="it has 0"):
        measure.crosstalk(raw, camera=Camera())
    with pytest.raises(aw.CalibrationError, match="they have been calibrated"):
        measure.crosstalk(aw.subtract_bias_level(raw))
