import pytest
from astropy.io import fits

from autowisp_xr.headers.processing import bias_said, correction_said


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
def test_cards_of_other_programs_say_whether_the_bias_was_subtracted(card, value, made):
    said = correction_said(fits.Header([(card, value)]), "bias")
    assert (None if said is None else said.made) is made
    if said is not None:
        assert card in said.by


def test_the_reference_file_of_a_correction_that_was_not_made_says_nothing():
    header = fits.Header({"BIASFILE": "ref$bias.fits", "BIASCORR": "OMIT"})
    assert correction_said(header, "bias").made is False


def test_our_own_history_knows_better_than_older_cards():
    header = fits.Header({"ZEROCOR": "no"})
    assert bias_said(header, [{"verb": "calibrate", "masters": {"bias": "ab"}}]).made
    assert not bias_said(fits.Header(), [{"verb": "calibrate", "masters": {}}]).made
    assert bias_said(fits.Header(), [{"verb": "open_fits", "masters": {}}]) is None
    # frames that another program had freed of their bias, stacked here
    assert bias_said(fits.Header({"CALSTAT": "B"}), [{"verb": "stack", "masters": {}}]).made
