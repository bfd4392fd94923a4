import pytest
from astropy.io import fits

from autowisp_xr.headers.processing import stated_bias, stated_correction


@pytest.mark.parametrize(
    ("card", "value", "made"),
    [
        ("CALSTAT", "BM", True),
        ("CALSTAT", "bdf", True),
        ("CALSTAT", "M", False),
        ("CALSTAT", "uncalibrated", False),
        ("CALSTAT", "bias subtracted", True),
        ("ZEROCOR", "Jan 1 Zero level correction image is Zero", True),
        ("ZEROCOR", "no", False),
        ("ZEROCOR", True, True),
        ("SUBBIAS", "subtract_bias", True),
        ("BIASCOR", False, False),
        ("BIASCORR", "COMPLETE", True),
        ("BIASCORR", "PERFORM", False),
        ("BIASSUB", "T", True),
        ("L1STATBI", 1, True),
        ("L1STATBI", 0, False),
        ("MBIASFNM", "bias.fits", True),
        ("BIASFILE", "bias.fits", True),
        ("BIASFILE", "N/A", None),
        ("ZEROCOR", "unknown", None),
        ("CALSTAT", "", None),
        ("DARKCOR", "done", None),
        ("HISTORY", "ImageCalibration.masterBias.enabled: true", True),
        ("HISTORY", "ImageCalibration.masterBias.enabled: false", False),
        ("HISTORY", "flattened", None),
    ],
)
def test_cards_of_other_programs_state_whether_the_bias_was_subtracted(card, value, made):
    stated = stated_correction(fits.Header([(card, value)]), "bias")
    assert (None if stated is None else stated.made) is made
    if stated is not None:
        assert card in stated.by


def test_the_reference_file_of_a_correction_that_was_not_made_states_nothing():
    header = fits.Header({"BIASFILE": "ref$bias.fits", "BIASCORR": "OMIT"})
    assert stated_correction(header, "bias").made is False


def test_our_own_history_knows_better_than_older_cards():
    header = fits.Header({"ZEROCOR": "no"})
    assert stated_bias(header, [{"verb": "calibrate", "masters": {"bias": "ab"}}]).made
    assert not stated_bias(fits.Header(), [{"verb": "calibrate", "masters": {}}]).made
    assert stated_bias(fits.Header(), [{"verb": "open_fits", "masters": {}}]) is None
    # frames that another program had freed of their bias, stacked here
    assert stated_bias(fits.Header({"CALSTAT": "B"}), [{"verb": "stack", "masters": {}}]).made
