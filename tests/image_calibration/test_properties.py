"""What must hold for any frame, whatever was chosen."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autowisp_xr.image_calibration import Calibrator
from tests.image_calibration.files import Planes, read_planes, write_planes, write_raw
from tests.image_calibration.slow import assert_planes_equal, calibrated

STEPS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), max_size=3)
LEVELS = {"bias": (50.0, 3.0), "dark": (20.0, 4.0), "flat": (1.0, 0.4)}


@st.composite
def nights(draw):
    """A raw frame with trouble in it, masters for a part of it, and how to calibrate it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    y, x = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    raw = rng.normal(600, 300, (y + height + draw(st.integers(0, 2)), x + width))
    if draw(st.booleans()):
        raw = np.clip(raw, 0, 65535).astype(np.uint16)
    else:
        raw[rng.random(raw.shape) < 0.05] = np.nan
    masters = {}
    for kind in draw(st.sets(st.sampled_from(sorted(LEVELS)))):
        level, scatter = LEVELS[kind]
        image = rng.normal(level, scatter, (height, width))
        image[rng.random(image.shape) < 0.05] = draw(st.sampled_from([np.nan, 0.0, -1.0]))
        flags = rng.choice([0, 0, 0, 1, 2, 16, 32, 48, 68], image.shape).astype(np.uint8)
        masters[kind] = Planes(image, rng.uniform(0, scatter, image.shape), flags)
    return {
        "raw": raw,
        "area": {"xmin": x, "xmax": x + width, "ymin": y, "ymax": y + height},
        "masters": masters,
        "gain": draw(st.floats(0.1, 20)),
        "read_noise": draw(st.floats(0, 50)),
        "bias_level": draw(st.sampled_from([0.0, 12.5, -3.0])),
        "threshold": draw(st.sampled_from([300.0, 900.0, 1e6])),
        "leaks": draw(STEPS),
    }


@settings(max_examples=60, deadline=None)
@given(night=nights())
def test_a_frame_is_calibrated_as_the_formulas_state(tmp_path_factory, night):
    folder = tmp_path_factory.mktemp("night")
    raw = write_raw(folder / "raw.fits", night["raw"])
    files = {
        kind: write_planes(folder / f"{kind}.fits", *planes)
        for kind, planes in night["masters"].items()
    }
    Calibrator(
        saturation_threshold=night["threshold"],
        gain=night["gain"],
        read_noise_electrons=night["read_noise"],
        bias_level_adu=night["bias_level"],
        image_area=night["area"],
        leak_directions=night["leaks"],
        compress_calibrated=None,
        **files,
    )(raw, calibrated=folder / "out.fits")
    expected = calibrated(
        night["raw"],
        **{key: night[key] for key in ("area", "gain", "read_noise", "bias_level", "threshold")},
        leaks=night["leaks"],
        **night["masters"],
    )
    found = read_planes(folder / "out.fits")
    assert_planes_equal(found, expected, rtol=1e-12)
    # a pixel without a number always has a flag
    assert not (np.isnan(found.image) & (found.mask == 0)).any()
    np.testing.assert_array_equal(np.isnan(found.image), np.isnan(found.error))
