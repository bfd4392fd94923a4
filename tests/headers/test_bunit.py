import numpy as np
import pytest
from astropy import units

import autowisp_xr as aw
from autowisp_xr.headers.bunit import unit_of
from tests.steps.frames import frame_set, master


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        *((text, "adu") for text in ("ADU", "adu", "Counts", "count", "ct", "DN", "ADU/pix")),
        *((text, "electron") for text in ("electron", "Electrons", "e-", "E", "electron / pix")),
        *((text, "adu/s") for text in ("adu/s", "counts/sec", "DN / s", "ct s-1", "ADU s**-1")),
        *((text, "adu/s") for text in ("counts per second", "cps", "ADU/s/pixel", "count s^-1")),
        *((text, "electron/s") for text in ("e-/s", "electron / s", "ELECTRONS/S", "e/sec")),
        *((text, "1") for text in ("1", "Normalised", "normalized", "unitless", "Dimensionless")),
        *((text, text) for text in ("Jy", "mag/s", "MJy/sr", "photon", "us", "counts*s")),
    ],
)
def test_units_are_known_by_all_their_names(text, unit):
    assert unit_of(text) == unit


@pytest.mark.parametrize("unit", [units.adu, units.electron, units.adu / units.s, units.ct])
def test_units_of_astropy_are_known(unit):
    expected = {"ct": "adu", "adu / s": "adu/s"}.get(str(unit), str(unit))
    assert unit_of(str(unit)) == expected
    if unit != units.electron:  # which FITS has not
        assert unit_of(unit.to_string("fits")) == expected


@pytest.mark.parametrize(
    ("units", "remedy"),
    [("adu/s", "multiply them by their exposure"), ("Jy", "bring them"), ("1", "bring them")],
)
def test_what_counts_nothing_is_not_calibrated_and_the_remedy_is_reported(units, remedy):
    frames = frame_set(np.ones((5, 7)), camera=aw.Camera(gain=2, read_noise=6), units=units)
    for verb in (aw.calibrate, aw.add_noise):
        with pytest.raises(aw.CalibrationError, match=rf"units of '{units}' \(BUNIT\).*{remedy}"):
            verb(frames)
    counted = frames.assign(image=(frames["image"] * frames["exposure"]).assign_attrs(units="adu"))
    assert aw.calibrate(counted)["image"].attrs["units"] == "adu"


def test_the_variance_of_a_rate_is_in_its_square():
    rate = master(np.ones((5, 7)), np.ones((5, 7)), units="electron/s")
    assert rate["variance"].attrs["units"] == "(electron/s)2"


@pytest.mark.parametrize("lazy", [True, False])
def test_floats_from_0_to_1_have_no_gain_of_counts(lazy, tmp_path):
    frames = frame_set(np.linspace(0.01, 0.9, 35, dtype="f4").reshape(5, 7))
    if lazy:
        frames = aw.open_fits(aw.to_fits(frames, tmp_path / "{frame}.fits"))
    with pytest.raises(aw.CalibrationError, match=r"floats from 0 to 1.*gain of 2 e/ADU.*65535"):
        aw.calibrate(frames, camera=aw.Camera(gain=2, read_noise=6))
    # measured on such frames
    aw.calibrate(frames, camera=aw.Camera(gain=131_070, read_noise=6))
