"""All who judge files ask one judge: night, verbs and the classes of the original."""

import math
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

import autowisp_xr as aw
from autowisp_xr.image_calibration import Calibrator
from autowisp_xr.matching import reason_against
from autowisp_xr.matching.traits import Traits

SHAPE = (4, 6)
CAMERA = aw.Camera(gain=1.5, read_noise=8.0)

# trait: what cards state of it, and its value; unknown where there is none
STATED = {
    "camera": [({"INSTRUME": name}, name) for name in ("ASI294MC", "asi294mc", "ASI183MM")],
    "detector": [({"CCDNAME": name}, name) for name in ("e2v 42-40", "e2v 47-10")],
    "binning": [({"XBINNING": n, "YBINNING": n}, f"{n}x{n}") for n in (1, 2)],
    "orientation": [({"ROWORDER": way}, way) for way in ("TOP-DOWN", "BOTTOM-UP")],
    "gain_setting": [({"GAIN": n}, float(n)) for n in (100, 200)],
    "egain": [({"EGAIN": n}, n) for n in (1.5, 1.52, 3.0)],
    "readout_mode": [({"READOUTM": name}, name) for name in ("High Gain", "Low Noise")],
    "readout_speed": [({"READSPD": name}, name) for name in ("1 MHz", "5 MHz")],
    "offset": [({"OFFSET": n}, float(n)) for n in (10, 50)],
    "coadds": [({"NCOADD": n}, float(n)) for n in (1, 4)],
    "temperature": [({"CCD-TEMP": n}, n) for n in (-10.0, -8.0, -7.9)],
    "filter": [({"FILTER": name}, name) for name in ("V", "R")],
}
UNKNOWN = {
    **dict.fromkeys(STATED, ""),
    **dict.fromkeys(("gain_setting", "egain", "offset", "coadds", "temperature"), math.nan),
}
# mostly alike, or nothing ever fits
CHOICES = st.fixed_dictionaries(
    {
        name: st.sampled_from([stated[0]] * 6 + [({}, UNKNOWN[name])] + stated)
        for name, stated in STATED.items()
    }
)
KINDS = {"bias": ("Master Bias", 100.0), "flat": ("Master Flat", 1.0)}


def write(path, choice, kind, pixels):
    """A file whose cards state traits."""
    header = fits.Header({"IMAGETYP": kind, "EXPTIME": 60.0, "DATE-OBS": "2024-03-01T21:00:00"})
    for cards, _ in choice.values():
        header.update(cards)
    fits.PrimaryHDU(pixels, header).writeto(path)


def taken_by_night(raw, master, kind):
    table = aw.open_night(raw, masters=master, camera=CAMERA).to_dataset()
    return bool(table[kind].item())


def taken_by_verb(raw, master, kind):
    try:
        aw.calibrate(aw.open_fits(raw), camera=CAMERA, **{kind: aw.open_fits(master)})
    except aw.MasterMismatchError:
        return False
    return True


def taken_by_class(raw, master, kind):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", aw.AutowispWarning)
        calibrate = Calibrator(saturation_threshold=6e4, **{f"master_{kind}": os.fspath(master)})
        calibrate(os.fspath(raw), calibrated=os.fspath(raw.with_name("out.fits")))
    return not any("m.fits is " in str(one.message) for one in caught)


@given(CHOICES, CHOICES, st.sampled_from(list(KINDS)))
def test_night_verb_and_class_take_the_masters_that_the_judge_takes(light, own, kind):
    word, level = KINDS[kind]
    wanted = Traits(kind="object", **{name: value for name, (_, value) in light.items()})
    stated = Traits(kind=kind, **{name: value for name, (_, value) in own.items()})
    verdict = reason_against(wanted, stated) is None
    pixels = np.random.default_rng(1).normal(1000, 10, SHAPE)
    with tempfile.TemporaryDirectory() as top:
        raw, master = Path(top) / "raw.fits", Path(top) / "m.fits"
        write(raw, light, "LIGHT", pixels.astype("u2"))
        write(master, own, word, (pixels * level / pixels.mean()).astype("f4"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", aw.AutowispWarning)
            found = {
                judge.__name__: judge(raw, master, kind)
                for judge in (taken_by_night, taken_by_verb, taken_by_class)
            }
    assert found == dict.fromkeys(found, verdict)
